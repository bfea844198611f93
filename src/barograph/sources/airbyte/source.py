"""The source `airbyte`: one sync is one `discover` and one `read` of a connector."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

from barograph.config import Connection
from barograph.errors import BarographError, SourceError
from barograph.messages import Message
from barograph.sources.airbyte.asking import Connector, patience_of, streams_of
from barograph.sources.airbyte.catalog import StreamRead, chosen_streams
from barograph.sources.airbyte.installed import held
from barograph.sources.airbyte.process import Patience
from barograph.sources.airbyte.protocol import OtherLine
from barograph.sources.airbyte.reading import Reading
from barograph.sources.airbyte.telling import Telling
from barograph.sources.base import Access, Messages, ReadRequest


class AirbyteSource:
    """A connection's connector, run as a program of its own."""

    spans: ClassVar[bool] = False

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection, self._access = connection, access

    def read(self, request: ReadRequest) -> Messages:
        """Its records and logs as they come; of streams that are read incrementally also the states.

        A state is given after the records that it covers, as far as the connector tells: one that comes before any
        record of its stream waits for the next one, or for a good end. Closing the generator ends the connector.

        Raises SourceRefused for a config_error, SourceUnavailable for a transient_error or when time is up, SourceError
        for any other failure: exit code, TRACE ERROR, a stream that is not COMPLETE. FormatError for damaged messages,
        LimitExceeded for a line beyond `limits.record_mib`. ConfigError where connector, stream or mode do not exist.
        """
        connector = Connector(self._connection, self._access)
        telling = Telling(connector.name, connector.masks)
        with held(connector.lock):
            try:
                yield from self._sync(connector, telling, request)
            except BarographError:
                yield from telling.close()
                raise
            yield from telling.close()

    def _sync(self, connector: Connector, telling: Telling, request: ReadRequest) -> Iterator[Message]:
        began = time.monotonic()
        total = float(self._connection.options.get("timeout", 0.0))
        patience = Patience(patience_of(self._connection).idle, total, request.sleep)
        streams: list[StreamRead] = []
        # Closed here, whatever happens to the messages: the connector ends with it.
        with closing(connector.ask("discover", patience, telling)) as answers:
            for said in answers:
                if isinstance(said, OtherLine):
                    found = streams_of(said, connector.where)
                    streams = chosen_streams(self._connection, found, connector.where)
                else:
                    yield said
        left = max(total - (time.monotonic() - began), 0.001) if total else 0.0
        patience = Patience(patience.idle, left, request.sleep)
        arguments, files = _read_command(connector, streams, request)
        process = connector.run(arguments, files, patience)
        reading = Reading(connector, streams, telling)
        with process:
            yield from reading.messages(process)
            code = process.wait()
        failure = reading.failure(code)
        if failure is not None:
            raise failure
        yield from reading.held_states()


def _read_command(
    connector: Connector, streams: list[StreamRead], request: ReadRequest
) -> tuple[tuple[str, ...], dict[str, Any]]:
    states = [dict(request.states[s.ours]) for s in streams if s.incremental and request.states.get(s.ours)]
    files: dict[str, Any] = {
        "config": connector.config,
        "catalog": {"streams": [stream.configured() for stream in streams]},
    }
    arguments: tuple[str, ...] = ("read", "--config", "{config}", "--catalog", "{catalog}")
    if states:
        files["state"] = _state_file(states, connector)
        arguments = (*arguments, "--state", "{state}")
    return arguments, files


def _state_file(states: list[dict[str, Any]], connector: Connector) -> Any:
    """Airbyte's state file: a list of states, or the object alone that a connector of the first protocol wrote."""
    if len(states) == 1 and states[0].get("type", "LEGACY") == "LEGACY":
        if "data" not in states[0]:
            raise SourceError(
                "the stream's state was not written by an Airbyte connector",
                where=connector.where,
                hint="give the connection a stream of its own, or `barograph connections reset` it",
            )
        return states[0]["data"]
    return states
