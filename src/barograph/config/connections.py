"""The [connections.NAME] tables as Connections, each checked against the others and against the stations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from barograph.config.checker import Checker, local_path
from barograph.config.kinds import SourceKind, kind_of
from barograph.config.schedule import Schedule
from barograph.config.secrets import references
from barograph.config.settings import Connection
from barograph.config.tables import FORMATS, TABLES
from barograph.errors import ConfigError
from barograph.model import Station


def make_connections(
    tables: Mapping[str, Mapping[str, Any]],
    stations: Mapping[str, Station],
    checker: Checker,
    environ: Mapping[str, str],
) -> dict[str, Connection]:
    """The connections by name, in the file's order. Raises ConfigError."""
    _check_stations(stations, checker)
    result: dict[str, Connection] = {}
    written: dict[str, str] = {}
    for name, table in tables.items():
        where = f"{checker.path}: [connections.{name}]"
        connection = _make(name, table, where, checker, environ)
        _check(connection, kind_of(connection.source), stations, where)
        _check_schedule(connection, checker)
        for folder in connection.folders:
            if (twin := written.setdefault(folder, name)) != name:
                raise ConfigError(
                    f"stream {folder!r} is already written by {twin!r}",
                    where=where,
                    hint="give each connection a stream of its own",
                )
        result[name] = connection
    return result


def _make(name: str, table: Mapping[str, Any], where: str, checker: Checker, environ: Mapping[str, str]) -> Connection:
    kind = kind_of(table["source"])
    url = local_path(table.get("url"), checker.base) or kind.url
    if url is None:
        raise ConfigError("url is missing", where=where, hint=TABLES["connections"]["url"].help)
    for key in kind.required:
        if key not in table:
            raise ConfigError(f"{key} is missing", where=where, hint=kind.options[key].help)
    common = {key: value for key, value in table.items() if key in TABLES["connections"]}
    options = {key: option.default for key, option in kind.options.items() if option.default is not None}
    options |= {key: value for key, value in table.items() if key in kind.options}
    named = set(references((url, options)))
    return Connection(
        **{
            **common,
            "name": name,
            "url": url,
            "stream": table.get("stream", name),
            "options": options,
            "environ": {key: environ[key] for key in sorted(named) if key in environ},
        }
    )


def _check_stations(stations: Mapping[str, Station], checker: Checker) -> None:
    for key, station in stations.items():
        where = f"{checker.path}: [stations.{key}]"
        if station.timezone is not None and not is_timezone(station.timezone):
            raise ConfigError(
                f"timezone {station.timezone!r} is not an IANA timezone", where=where, hint='for example "Europe/Paris"'
            )
        if not -90 <= (station.latitude or 0) <= 90 or not -180 <= (station.longitude or 0) <= 180:
            raise ConfigError("latitude or longitude is outside the globe", where=where)


def _check(connection: Connection, kind: SourceKind, stations: Mapping[str, Station], where: str) -> None:
    choices = {
        "format": (connection.format, FORMATS),
        "compression": (connection.compression, ("none", "gzip")),
    }
    for key, (value, allowed) in choices.items():
        if value not in allowed:
            raise ConfigError(f"{key} = {value!r} is not known", where=where, hint=f"one of {', '.join(allowed)}")
    for folder in connection.folders:
        if not re.fullmatch(r"[\w.-]+", folder) or folder.startswith((".", "_")):
            raise ConfigError(f"stream {folder!r} is not a folder name", where=where)
    if kind.station:
        _check_station(connection, stations, where)


def _check_schedule(connection: Connection, checker: Checker) -> None:
    try:
        Schedule.of(connection.schedule)
    except ConfigError as error:
        checker.fail(error.what, "schedule", hint=error.hint, table=f"connections.{connection.name}")


def _check_station(connection: Connection, stations: Mapping[str, Station], where: str) -> None:
    if connection.station is None:
        raise ConfigError("station is missing", where=where, hint="a Weather Underground table does not name it")
    station = stations.get(connection.station)
    if station is None:
        raise ConfigError(
            f"station {connection.station!r} is not described",
            where=where,
            hint=f"add [stations.{connection.station}]",
        )
    if station.timezone is None:
        raise ConfigError(
            f"station {connection.station!r} has no timezone",
            where=where,
            hint=f"its table carries local times: set timezone in [stations.{connection.station}]",
        )


@cache
def is_timezone(name: str) -> bool:
    """Whether `name` is an IANA timezone that this machine knows."""
    try:
        ZoneInfo(name).utcoffset(None)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
