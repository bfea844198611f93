"""The [connections.NAME] tables as Connections, each checked against the others and against the stations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from barograph.config import api_options
from barograph.config.checker import Checker, local_path
from barograph.config.kinds import SourceKind, kind_of
from barograph.config.secrets import references
from barograph.config.settings import Connection
from barograph.config.table_mapping import check_table, make_mapping
from barograph.config.tables import FLATTENING, FORMATS, TABLES
from barograph.config.timezones import is_timezone
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
        where = f"{checker.path}{checker.line((), ('connections', name))}: [connections.{name}]"
        connection = _make(name, table, where, checker, environ, stations)
        _check(connection, kind_of(connection.source), stations, where, checker)
        check_table(connection, checker)
        for folder in connection.folders:
            if (twin := written.setdefault(folder, name)) != name:
                raise ConfigError(
                    f"stream {folder!r} is already written by {twin!r}",
                    where=where,
                    hint="give each connection a stream of its own",
                )
        result[name] = connection
    return result


def _make(
    name: str,
    table: Mapping[str, Any],
    where: str,
    checker: Checker,
    environ: Mapping[str, str],
    stations: Mapping[str, Station],
) -> Connection:
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
    decoder = options.get("decoder") or kind.decoder or table["source"]
    mapping = kind.mapping
    if decoder == "table" and (mapping is None or "columns" in options):
        mapping = make_mapping(name, options, table.get("station"), checker)
    named = set(references((url, options)))
    return Connection(
        **{
            **common,
            "name": name,
            "url": url,
            "stream": table.get("stream", name),
            "options": options,
            "mapping": mapping,
            "environ": {key: environ[key] for key in sorted(named) if key in environ},
            "timezones": _timezones(options.get("stations", ()), stations) if kind.zones else {},
        }
    )


def _check_stations(stations: Mapping[str, Station], checker: Checker) -> None:
    for key, station in stations.items():
        where = f"{checker.path}{checker.line((), ('stations', key))}: [stations.{key}]"
        if station.timezone is not None and not is_timezone(station.timezone):
            raise ConfigError(
                f"timezone {station.timezone!r} is not an IANA timezone", where=where, hint='for example "Europe/Paris"'
            )
        if not -90 <= (station.latitude or 0) <= 90 or not -180 <= (station.longitude or 0) <= 180:
            raise ConfigError("latitude or longitude is outside the globe", where=where)


def _check(
    connection: Connection, kind: SourceKind, stations: Mapping[str, Station], where: str, checker: Checker
) -> None:
    choices = {
        "format": (connection.format, FORMATS),
        "compression": (connection.compression, ("none", "gzip")),
        "flatten": (connection.flatten, FLATTENING),
    }
    for key, (value, allowed) in choices.items():
        if value not in allowed:
            raise ConfigError(f"{key} = {value!r} is not known", where=where, hint=f"one of {', '.join(allowed)}")
    for folder in connection.folders:
        if not re.fullmatch(r"[\w.-]+", folder) or folder.startswith((".", "_")):
            raise ConfigError(f"stream {folder!r} is not a folder name", where=where)
    mapping = connection.mapping
    if kind.station and connection.station is None:
        raise ConfigError("station is missing", where=where, hint="a Weather Underground table does not name it")
    if kind.station or (mapping is not None and mapping.station is None):
        line = checker.line("station", ("connections", connection.name))
        at = f"{checker.path}{line}: [connections.{connection.name}]"
        _check_station(connection, stations, at, timed=mapping is None or mapping.timezone == "station")
    if (wrong := api_options.problem(connection.source, connection.url, connection.options)) is not None:
        raise ConfigError(wrong[0], where=where, hint=wrong[1])
    for station in connection.options["stations"] if kind.zones else ():
        if station not in connection.timezones:
            raise ConfigError(
                f"the timezone of station {station!r} is not known",
                where=where,
                hint=f"its data is asked for by local day: set timezone in [stations.{station}]",
            )


def _timezones(names: Sequence[str], stations: Mapping[str, Station]) -> dict[str, str]:
    known = {name: stations[name].timezone for name in names if name in stations}
    return {name: zone for name, zone in known.items() if zone is not None}


def _check_station(connection: Connection, stations: Mapping[str, Station], where: str, *, timed: bool) -> None:
    if connection.station is None:
        raise ConfigError("station is missing", where=where, hint="its table does not say whose rows it holds")
    station = stations.get(connection.station)
    if station is None:
        raise ConfigError(
            f"station {connection.station!r} is not described",
            where=where,
            hint=f"add [stations.{connection.station}]",
        )
    if timed and station.timezone is None:
        raise ConfigError(
            f"station {connection.station!r} has no timezone",
            where=where,
            hint=f"its table carries local times: set timezone in [stations.{connection.station}]",
        )
