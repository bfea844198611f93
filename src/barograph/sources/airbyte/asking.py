"""What a connector answers to `spec`, `check` and `discover`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from barograph.config import MIB, Connection
from barograph.errors import ConfigError, FormatError, SourceError
from barograph.logs import Known
from barograph.messages import Log
from barograph.sources.airbyte.failing import damaged, error_of, too_long
from barograph.sources.airbyte.installed import connector_of, held
from barograph.sources.airbyte.lines import TooLong
from barograph.sources.airbyte.masks import masks_of
from barograph.sources.airbyte.process import ConnectorProcess, Patience
from barograph.sources.airbyte.protocol import Damaged, ErrorLine, Line, LogLine, OtherLine, parse_line
from barograph.sources.airbyte.specification import plain_secrets
from barograph.sources.airbyte.telling import Telling
from barograph.sources.base import Access

Answers: TypeAlias = Generator[Log | OtherLine, None, None]
"""The logs of a command, and at the end its answer; closing it ends the connector."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a connector says of its configuration. `plain` are settings with a secret in plain text."""

    succeeded: bool
    message: str
    plain: tuple[str, ...] = ()
    logs: tuple[Log, ...] = field(default=(), hash=False)


class Connector:
    """A connection's connector, with the configuration revealed to it."""

    def __init__(self, connection: Connection, access: Access) -> None:
        self.where = f"connection {connection.name}"
        self.connection, self.limits = connection, access.limits
        self.name, self.executable, self.lock = connector_of(connection, access.data_dir)
        self.masks = masks_of(connection)

    def run(self, arguments: tuple[str, ...], files: Mapping[str, Any], patience: Patience) -> ConnectorProcess:
        """One of its commands, to be entered."""
        return run(self.executable, arguments, files, patience, self.limits.record_mib, self.where)

    @property
    def config(self) -> dict[str, Any]:
        """The connector's own settings, secrets and all. Raises ConfigError for a variable that is not set."""
        found = self.connection.reveal(self.connection.options.get("config") or {})
        assert isinstance(found, dict)  # noqa: S101 - the type of the setting
        return found

    def ask(self, command: str, patience: Patience, telling: Telling) -> Answers:
        """`check` or `discover`: its logs, and at the end its answer. Raises SourceError."""
        process = self.run((command, "--config", "{config}"), {"config": self.config}, patience)
        yield from answer(process, command, telling, self.masks, self.limits.record_mib, self.where)


def run(
    executable: Path,
    arguments: tuple[str, ...],
    files: Mapping[str, Any],
    patience: Patience,
    record_mib: int,
    where: str,
) -> ConnectorProcess:
    """One command of an executable, to be entered."""
    return ConnectorProcess(executable, arguments, files, line_bytes=record_mib * MIB, patience=patience, where=where)


_ANSWERS = {"spec": "SPEC", "check": "CONNECTION_STATUS", "discover": "CATALOG"}


def answer(
    process: ConnectorProcess, command: str, telling: Telling, masks: Known, record_mib: int, where: str
) -> Answers:
    """The logs of a command that answers once, and at the end the answer."""
    found: OtherLine | None = None
    failure: ErrorLine | None = None
    with process:
        try:
            for line in _lines(process):
                if isinstance(line, LogLine):
                    yield from telling.log(line)
                elif isinstance(line, ErrorLine):
                    failure = failure or line
                elif isinstance(line, OtherLine) and line.type == _ANSWERS[command]:
                    found = line
        except TooLong as error:
            raise too_long(error, None, record_mib, where) from None
        code = process.wait()
    if failure is not None:
        raise error_of(failure, masks, where)
    if code or found is None:
        what = f"ended with exit code {code}" if code else f"gave no {_ANSWERS[command]}"
        raise SourceError(
            f"the connector's {command} {what}{telling.last_words()}", where=where, hint="is it an Airbyte connector?"
        )
    yield found


def _lines(process: ConnectorProcess) -> Iterator[Line]:
    for said in process.lines():
        if said.stderr:
            yield LogLine("warning", said.line.decode("utf-8", errors="replace"), message=False)
            continue
        try:
            line = parse_line(said.line)
        except Damaged as error:
            raise damaged(str(error), said.number, process.where) from None
        if line is None:
            continue
        if not isinstance(line, LogLine) or line.message:
            process.alive()
        yield line


def spec(name: str, executable: Path, lock: Path | None, access: Access) -> dict[str, Any]:
    """A connector's specification: `connectionSpecification` is a JSON schema of its `config`. Raises SourceError."""
    masks = Known()
    patience = Patience(idle=120)
    with held(lock):
        process = run(executable, ("spec",), {}, patience, access.limits.record_mib, name)
        for said in answer(process, "spec", Telling(name, masks), masks, access.limits.record_mib, name):
            if isinstance(said, OtherLine):
                return dict(said.body.get("spec") or {})
    raise AssertionError  # pragma: no cover - `answer` ends with the answer


def check(connection: Connection, access: Access) -> Checked:
    """Let a connection's connector try its configuration. Raises SourceError where it cannot even say no."""
    connector = Connector(connection, access)
    logs: list[Log] = []
    plain = plain_secrets(
        connection.options.get("config") or {}, spec(connector.name, connector.executable, connector.lock, access)
    )
    with held(connector.lock):
        telling = Telling(connector.name, connector.masks)
        for said in connector.ask("check", patience_of(connection), telling):
            if isinstance(said, Log):
                logs.append(said)
                continue
            status = said.body.get("connectionStatus") or {}
            message = connector.masks.text(str(status.get("message") or ""))
            return Checked(status.get("status") == "SUCCEEDED", message, plain, tuple(logs))
    raise AssertionError  # pragma: no cover - `ask` ends with the answer


def discover(connection: Connection, access: Access) -> list[dict[str, Any]]:
    """The streams that a connection's connector has. Raises SourceError."""
    connector = Connector(connection, access)
    with held(connector.lock):
        telling = Telling(connector.name, connector.masks)
        for said in connector.ask("discover", patience_of(connection), telling):
            if isinstance(said, OtherLine):
                return list(streams_of(said, connector.where))
    raise AssertionError  # pragma: no cover - `ask` ends with the answer


def streams_of(said: OtherLine, where: str) -> list[Any]:
    """The streams of a CATALOG. Raises FormatError."""
    streams = (said.body.get("catalog") or {}).get("streams")
    if not isinstance(streams, list):
        raise FormatError("the connector's catalogue holds no streams", where=where, hint="is it a connector?")
    return streams


def patience_of(connection: Connection) -> Patience:
    """How long a connection waits for a connector's single answers."""
    return Patience(float(connection.options.get("idle_timeout", 600.0)))


def require_airbyte(connection: Connection) -> None:
    """Raise ConfigError for a connection of another kind."""
    if connection.source != "airbyte":
        raise ConfigError(
            f"its source is {connection.source}, no connector",
            where=f"connection {connection.name}",
            hint='a connector is run for source = "airbyte"',
        )
