"""Which of a connector's streams are read, and how: its catalogue, and a connection's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from barograph.config import Connection
from barograph.errors import ConfigError, FormatError

DESTINATION_MODES = {"full_refresh": "overwrite", "incremental": "append"}


@dataclass(frozen=True, slots=True)
class StreamRead:
    """A stream as it is to be read. `ours` is its name for the landing zone, "" where it is the only one."""

    name: str
    ours: str
    sync_mode: str
    stream: Mapping[str, Any] = field(hash=False)
    keys: tuple[str, ...] = ()

    @property
    def incremental(self) -> bool:
        """Whether its states are kept."""
        return self.sync_mode == "incremental"

    def ordered(self, data: dict[str, Any]) -> dict[str, Any]:
        """A record with its keys in the schema's order; some connectors give them in another one each time.

        Without this every sync of an unchanged file would be news.
        """
        known = {key: data[key] for key in self.keys if key in data}
        return known if len(known) == len(data) else known | data

    def configured(self) -> dict[str, Any]:
        """Its entry in the configured catalogue."""
        entry = {
            "stream": dict(self.stream),
            "sync_mode": self.sync_mode,
            "destination_sync_mode": DESTINATION_MODES[self.sync_mode],
            "generation_id": 0,
            "minimum_generation_id": 0,
            "sync_id": 0,
        }
        if self.incremental:
            entry["cursor_field"] = self.stream.get("default_cursor_field") or []
        if self.stream.get("source_defined_primary_key"):
            entry["primary_key"] = self.stream["source_defined_primary_key"]
        return entry


def chosen_streams(connection: Connection, streams: list[Any], where: str) -> list[StreamRead]:
    """The streams that the connection asks for. Raises ConfigError where the connector has no such stream or mode."""
    found: dict[str, dict[str, Any]] = {}
    for stream in streams:
        if not isinstance(stream, dict) or not isinstance(stream.get("name"), str):
            raise FormatError("the connector's catalogue names no streams", where=where, hint="is it a connector?")
        found[stream["name"]] = stream
    names = connection.options.get("streams") or ()
    if not names:
        if len(found) != 1:
            raise ConfigError(
                f"the connector has {len(found)} streams and streams is not set",
                where=where,
                hint=f"choose from {_list(found)}",
            )
        return [_read(connection, stream, "", where) for stream in found.values()]
    for name in names:
        if name not in found:
            raise ConfigError(f"the connector has no stream {name!r}", where=where, hint=f"it has {_list(found)}")
    return [_read(connection, found[name], name, where) for name in names]


def _read(connection: Connection, stream: Mapping[str, Any], ours: str, where: str) -> StreamRead:
    supported = stream.get("supported_sync_modes") or ["full_refresh"]
    mode = connection.options.get("sync_mode")
    if mode is None:
        mode = "incremental" if "incremental" in supported else "full_refresh"
    if mode not in supported:
        raise ConfigError(
            f"stream {stream['name']!r} cannot be read as {mode}",
            where=where,
            hint=f"it can be read as {', '.join(supported)}; leave sync_mode out, or make a connection for it alone",
        )
    keys = tuple((stream.get("json_schema") or {}).get("properties") or ())
    return StreamRead(stream["name"], ours, mode, stream, keys)


def _list(found: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, sorted(found))) or "none"
