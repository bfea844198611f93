"""The [connections.NAME] tables as Connections, each checked against the others and against the stations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from barograph.config import api_options
from barograph.config.checker import Checker, local_path
from barograph.config.kinds import LANDED_ONLY, SOURCE_KINDS, SYNC_MODES, SourceKind, kind_of
from barograph.config.schedule import Schedule
from barograph.config.secrets import references
from barograph.config.settings import Connection
from barograph.config.table_mapping import check_table, make_mapping
from barograph.config.tables import FLATTENING, FORMATS, TABLES
from barograph.config.timezones import is_timezone
from barograph.errors import ConfigError
from barograph.model import Station

LOCAL: Final = "local:"
"""Before a path in the settings of a connector, which would look for a relative one in a folder of its own."""


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
    options |= {key: _local(options[key], checker.base) for key in kind.paths if key in options}
    decoder = options.get("decoder") or kind.decoder or table["source"]
    mapping = kind.mapping or (SOURCE_KINDS[decoder].mapping if decoder in SOURCE_KINDS else None)
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


def _local(value: Any, base: Path) -> Any:
    """An option that names files, with the relative ones made absolute against the folder of the configuration."""
    if isinstance(value, str):
        return local_path(value, base) if "/" in value else value
    if isinstance(value, Mapping):
        return {key: _local_texts(item, base) for key, item in value.items()}
    return value


def _local_texts(value: Any, base: Path) -> Any:
    if isinstance(value, str):
        return local_path(value.removeprefix(LOCAL), base) if value.startswith(LOCAL) else value
    if isinstance(value, Mapping):
        return {key: _local_texts(item, base) for key, item in value.items()}
    if isinstance(value, list):
        return [_local_texts(item, base) for item in value]
    return value


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
    if connection.source == "airbyte":
        kind = _check_airbyte(connection, where)
    mapping = connection.mapping
    if kind.station and connection.station is None:
        raise ConfigError("station is missing", where=where, hint="a Weather Underground table does not name it")
    if kind.station or (mapping is not None and mapping.station is None):
        line = checker.line("station", ("connections", connection.name))
        at = f"{checker.path}{line}: [connections.{connection.name}]"
        _check_station(connection, stations, at, timed=mapping is None or mapping.timezone == "station")
    if (wrong := api_options.problem(connection.source, connection.url, connection.options)) is not None:
        raise ConfigError(wrong[0], where=where, hint=wrong[1])
    if kind.zones:
        _check_zones(connection, where)


def _check_schedule(connection: Connection, checker: Checker) -> None:
    try:
        Schedule.of(connection.schedule)
    except ConfigError as error:
        checker.fail(error.what, "schedule", hint=error.hint, table=("connections", connection.name))


def _check_zones(connection: Connection, where: str) -> None:
    for station in connection.options.get("stations", ()):
        if station not in connection.timezones:
            raise ConfigError(
                f"the timezone of station {station!r} is not known",
                where=where,
                hint=f"its data is asked for by local day: set timezone in [stations.{station}]",
            )


def _check_airbyte(connection: Connection, where: str) -> SourceKind:
    """The kind whose records the connector gives, by the connection's `decoder`."""
    mode = connection.options.get("sync_mode")
    if mode is not None and mode not in SYNC_MODES:
        raise ConfigError(f"sync_mode = {mode!r} is not known", where=where, hint=f"one of {', '.join(SYNC_MODES)}")
    if connection.decoder == LANDED_ONLY:
        return SourceKind("")
    kinds = {name: kind for name, kind in SOURCE_KINDS.items() if name != connection.source}
    if connection.decoder not in kinds:
        raise ConfigError(
            f"decoder = {connection.decoder!r} is not known",
            where=where,
            hint=f"one of {', '.join(kinds)}, or {LANDED_ONLY}",
        )
    return kinds[connection.decoder]


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
