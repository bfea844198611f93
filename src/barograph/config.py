"""barograph.toml and the BAROGRAPH_* environment, as one frozen Settings. The only reader of the environment.

A declarative table names every setting with its type, default and help; a key that is not in it is an error that
points at the line. Credentials never stand in the file: S3 takes the usual AWS environment, a MongoDB URI with a
password comes from BAROGRAPH_STORE or from the file that `store.url_file` names.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from barograph.errors import ConfigError
from barograph.model import Station

SOURCE_KINDS: Final = ("wunderground-table", "infoclimat")
FORMATS: Final = ("csv", "jsonl")
MIB: Final = 1024 * 1024
LONGEST_LOG: Final = 24_855
"""Days: MongoDB's TTL indexes take at most 2^31 - 1 seconds."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its type, its default and what it means."""

    kind: type
    default: Any
    help: str


# fmt: off
TABLES: Final[dict[str, dict[str, Option]]] = {
    "landing": {
        "url": Option(str, None, "folder, s3://bucket or memory:// of the landing zone; default <data dir>/landing"),
        "prefix": Option(str, "meteo_sync", "path under the bucket, before the stream's name"),
    },
    "store": {
        "url": Option(str, None, "sqlite:///file.db or mongodb://…; default sqlite:///<data dir>/meteo.db"),
        "url_file": Option(str, None, "file whose first line is the store's URL; for a URI with a password"),
        "patience": Option(float, 60.0, "seconds for which the job repeats a call while no server answers"),
        "log_days": Option(int, 0, "days after which log entries are deleted; 0 keeps them for ever"),
    },
    "backup": {
        "url": Option(str, None, "folder or s3://bucket/path of the backups; default <data dir>/backups"),
        "keep_daily": Option(int, 7, "days of which `backup prune` keeps the newest backup"),
        "keep_weekly": Option(int, 5, "ISO weeks, likewise"),
        "keep_monthly": Option(int, 12, "months, likewise"),
    },
    "ingest": {
        "rejected_threshold": Option(float, 0.0, "share of a run's report rows that may be rejected before it exits 3"),
        "batch_rows": Option(int, 50_000, "report rows held in memory before they are merged into the store"),
    },
    "limits": {
        "http_timeout": Option(float, 30.0, "seconds without an answer, or a byte of it, before a server is given up"),
        "http_retries": Option(int, 2, "further tries when a server answers 5xx or 429, or not at all"),
        "source_mib": Option(int, 512, "largest file a source may send"),
        "unpacked_mib": Option(int, 512, "largest size of a workbook when unpacked"),
        "object_mib": Option(int, 16_384, "largest size of a landed object when unpacked"),
        "record_mib": Option(int, 64, "longest line of a table (Infoclimat answers are streamed and may be longer)"),
    },
    "stations": {
        "name": Option(str, None, "the station's name"),
        "city": Option(str, None, "the municipality"),
        "latitude": Option(float, None, "degrees north, WGS 84"),
        "longitude": Option(float, None, "degrees east, WGS 84"),
        "elevation": Option(int, None, "metres above sea level"),
        "type": Option(str, None, "kind of station (synop, static, personal)"),
        "timezone": Option(str, None, "IANA timezone of its clock and of its local day"),
        "hardware": Option(str, None, "console or sensor"),
        "software": Option(str, None, "firmware"),
        "license_info": Option(str, None, "licence, source and address of its data"),
    },
    "connections": {
        "source": Option(str, None, "kind of source: wunderground-table or infoclimat"),
        "url": Option(str, None, "path or http(s) URL of the export; a relative path starts at this file's folder"),
        "station": Option(str, None, "the station a wunderground-table belongs to"),
        "stream": Option(str, None, "folder in the landing zone; default the connection's name"),
        "format": Option(str, "jsonl", "what is landed: csv or jsonl"),
        "compression": Option(str, "none", "gzip or none"),
        "schedule": Option(str, "manual", "manual, daily or a cron expression; only tells the scheduler when"),
        "enabled": Option(bool, True, "whether run and sync without names take it"),
        "tags": Option(list, (), "words to find it by"),
        "first_day": Option(date, None, "local day of the first row, for a table that carries no date"),
    },
}
# fmt: on

ENVIRONMENT: Final[dict[str, str]] = {
    "BAROGRAPH_CONFIG": "the configuration file; default barograph.toml in the working folder",
    "BAROGRAPH_DATA_DIR": "the data folder; default ./barograph-data",
    "BAROGRAPH_LANDING": "the landing zone's URL, over [landing] url",
    "BAROGRAPH_STORE": "the store's URL, over [store] url",
    "BAROGRAPH_STORE_FILE": "file whose first line is the store's URL, where BAROGRAPH_STORE is not set",
    "BAROGRAPH_BACKUPS": "the place of the backups, over [backup] url",
    "BAROGRAPH_MONGOD": "the mongod that `cluster up` starts; default the one on PATH, else that of the mongod extra",
    "BAROGRAPH_DEBUG": "1: show the traceback behind an error of the command line",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """A named sync: where from, which stream, in which form, how often."""

    name: str
    source: str
    url: str
    stream: str
    station: str | None = None
    format: str = "jsonl"
    compression: str = "none"
    schedule: str = "manual"
    enabled: bool = True
    tags: tuple[str, ...] = ()
    first_day: date | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what servers and files may do to us (seconds, tries, MiB)."""

    http_timeout: float = 30.0
    http_retries: int = 2
    source_mib: int = 512
    unpacked_mib: int = 512
    object_mib: int = 16_384
    record_mib: int = 64


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days, ISO weeks and months keep their newest backup."""

    daily: int = 7
    weekly: int = 5
    monthly: int = 12


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the job needs to know, checked."""

    data_dir: Path
    landing_url: str
    landing_prefix: str
    store_url: str = field(repr=False)
    backup_url: str = ""
    stations: Mapping[str, Station] = field(default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    limits: Limits = Limits()
    rejected_threshold: float = 0.0
    batch_rows: int = 50_000
    store_patience: float = 60.0
    log_days: int = 0
    retention: Retention = Retention()
    config_file: Path | None = None


def load(
    config: str | os.PathLike[str] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    landing: str | None = None,
    store: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from (strongest first) the arguments, the environment, the file, the defaults.

    Without a file the embedded defaults serve, with no stations and no connections. Raises ConfigError.
    """
    env = os.environ if environ is None else environ
    path = _config_path(config, env)
    tables, base = ({}, Path.cwd()) if path is None else (_read_toml(path), path.resolve().parent)
    checked = _Checker(path, base).tables(tables)
    folder = data_folder(data_dir, environ=env)
    landing_table, store_table = checked.get("landing", {}), checked.get("store", {})
    landing_url = landing or env.get("BAROGRAPH_LANDING") or _local(landing_table.get("url"), base)
    store_url = store or env.get("BAROGRAPH_STORE") or _store_from_environment(env)
    store_url = store_url or _store_from_file(store_table, base)
    backup_table = checked.get("backup", {})
    backup_url = env.get("BAROGRAPH_BACKUPS") or _local(backup_table.get("url"), base)
    stations = {key: Station(key, **value) for key, value in checked.get("stations", {}).items()}
    connections = _connections(checked.get("connections", {}), stations, base, path)
    ingest = checked.get("ingest", {})
    return Settings(
        data_dir=folder,
        landing_url=landing_url or str(folder / "landing"),
        landing_prefix=landing_table.get("prefix", TABLES["landing"]["prefix"].default).strip("/"),
        store_url=store_url or f"sqlite:///{folder / 'meteo.db'}",
        backup_url=backup_url or str(folder / "backups"),
        store_patience=store_table.get("patience", TABLES["store"]["patience"].default),
        log_days=store_table.get("log_days", TABLES["store"]["log_days"].default),
        retention=Retention(
            **{key.removeprefix("keep_"): value for key, value in backup_table.items() if key.startswith("keep_")}
        ),
        stations=stations,
        connections=connections,
        limits=Limits(**checked.get("limits", {})),
        config_file=path,
        **{key: ingest.get(key, option.default) for key, option in TABLES["ingest"].items()},
    )


def data_folder(data_dir: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """The data folder alone; it is known also where the rest of the settings cannot be read yet."""
    env = os.environ if environ is None else environ
    return Path(data_dir or env.get("BAROGRAPH_DATA_DIR") or "barograph-data").expanduser().absolute()


def mongod(environ: Mapping[str, str] | None = None) -> str | None:
    """The mongod that BAROGRAPH_MONGOD names, if it does."""
    env = os.environ if environ is None else environ
    return env.get("BAROGRAPH_MONGOD") or None


def debug(environ: Mapping[str, str] | None = None) -> bool:
    """Whether BAROGRAPH_DEBUG asks for tracebacks."""
    env = os.environ if environ is None else environ
    return env.get("BAROGRAPH_DEBUG", "") not in ("", "0")


def _config_path(config: str | os.PathLike[str] | None, env: Mapping[str, str]) -> Path | None:
    named = config or env.get("BAROGRAPH_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError("no such configuration file", where=str(path), hint="`barograph init` writes one")
        return path
    path = Path("barograph.toml")
    return path if path.is_file() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error


def _local(url: str | None, base: Path) -> str | None:
    """A relative path from the file, made absolute against the file's folder; URLs pass."""
    if url is None or "://" in url:
        return url
    return str((base / Path(url).expanduser()).absolute())


def _store_from_environment(env: Mapping[str, str]) -> str | None:
    name = env.get("BAROGRAPH_STORE_FILE")
    return _first_line(Path(name).expanduser(), "BAROGRAPH_STORE_FILE") if name else None


def _first_line(path: Path, setting: str) -> str:
    """The URL that a file holds; ConfigError naming the setting that named the file."""
    try:
        line = path.read_text(encoding="utf-8").split("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            f"cannot be read: {reason}",
            where=f"{setting} {path}",
            hint="write the URL there; that of a local replica set is written by `barograph cluster up`",
        ) from error
    if not line:
        raise ConfigError("its first line is empty", where=f"{setting} {path}", hint="write the URL there")
    return line


def _store_from_file(table: Mapping[str, Any], base: Path) -> str | None:
    if (name := table.get("url_file")) is not None:
        return _first_line(base / Path(name).expanduser(), "[store] url_file")
    url = table.get("url")
    if url is not None and url.startswith("mongodb") and urlsplit(url.split(",")[0]).password is not None:
        raise ConfigError(
            "the URL carries a password",
            where="[store] url",
            hint="put the URL into BAROGRAPH_STORE or a file named by url_file",
        )
    if url is not None and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        return f"sqlite:///{(base / url.removeprefix('sqlite:///')).absolute()}"
    return None if url is None else str(url)


class _Checker:
    """Holds a parsed file against TABLES; its errors name the table, the key and the line."""

    def __init__(self, path: Path | None, base: Path) -> None:
        self.path, self.base = path, base

    def tables(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        checked: dict[str, Any] = {}
        for name, body in raw.items():
            if name not in TABLES:
                self._fail(f"unknown table [{name}]", name, hint=f"known are {', '.join(TABLES)}")
            if not isinstance(body, dict):
                self._fail(f"[{name}] must be a table", name)
            if name in ("stations", "connections"):
                for key, entry in body.items():
                    if not isinstance(entry, dict):
                        self._fail(f"[{name}.{key}] must be a table", key)
                checked[name] = {key: self._table(name, f"{name}.{key}", entry) for key, entry in body.items()}
            else:
                checked[name] = self._table(name, name, body)
        return checked

    def _table(self, table: str, title: str, body: Mapping[str, Any]) -> dict[str, Any]:
        options = TABLES[table]
        result = {}
        for key, value in body.items():
            if key not in options:
                self._fail(f"unknown key {key!r} in [{title}]", key, hint=f"known are {', '.join(options)}")
            result[key] = self._value(title, key, value, options[key].kind)
        return result

    def _value(self, title: str, key: str, value: Any, kind: type) -> Any:
        if kind is float and type(value) is int:
            value = float(value)
        if kind is date and isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                self._fail(f"[{title}] {key} = {value!r} is not a date", key, hint='write it as "2024-10-01"')
        if kind is list and isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        if type(value) is not kind:
            self._fail(f"[{title}] {key} must be {_KIND_NAMES[kind]}, not {value!r}", key)
        if key == "log_days" and value > LONGEST_LOG:
            self._fail(f"[{title}] {key} = {value} is more than {LONGEST_LOG}", key, hint="0 keeps them for ever")
        if kind in (int, float) and key not in ("latitude", "longitude", "elevation") and value < 0:
            self._fail(f"[{title}] {key} = {value} must not be negative", key)
        return value

    def _fail(self, what: str, key: str, hint: str = "") -> None:
        raise ConfigError(what, where=f"{self.path}{self._line(key)}", hint=hint)

    def _line(self, key: str) -> str:
        """`:line` of the first place in the file that sets or opens `key`, if it can be found."""
        if self.path is None:
            return ""
        pattern = re.compile(rf"^\s*(\[.*\b{re.escape(key)}\b.*\]|\"?{re.escape(key)}\"?\s*=)")
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return next((f":{number}" for number, line in enumerate(lines, 1) if pattern.match(line)), "")


_KIND_NAMES: Final = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of strings",
    date: "a date",
}


def _connections(
    tables: Mapping[str, Mapping[str, Any]], stations: Mapping[str, Station], base: Path, path: Path | None
) -> dict[str, Connection]:
    for key, station in stations.items():
        where = f"{path}: [stations.{key}]"
        if station.timezone is not None and not is_timezone(station.timezone):
            raise ConfigError(
                f"timezone {station.timezone!r} is not an IANA timezone", where=where, hint='for example "Europe/Paris"'
            )
        if not -90 <= (station.latitude or 0) <= 90 or not -180 <= (station.longitude or 0) <= 180:
            raise ConfigError("latitude or longitude is outside the globe", where=where)
    result: dict[str, Connection] = {}
    for name, table in tables.items():
        where = f"{path}: [connections.{name}]"
        for key in ("source", "url"):
            if key not in table:
                raise ConfigError(f"{key} is missing", where=where, hint=TABLES["connections"][key].help)
        connection = Connection(
            name, **{**table, "stream": table.get("stream", name), "url": _local(table["url"], base)}
        )
        _check_connection(connection, stations, where)
        if (twin := next((c for c in result.values() if c.stream == connection.stream), None)) is not None:
            raise ConfigError(
                f"stream {connection.stream!r} is already written by {twin.name!r}",
                where=where,
                hint="give each connection a stream of its own",
            )
        result[name] = connection
    return result


def _check_connection(connection: Connection, stations: Mapping[str, Station], where: str) -> None:
    choices = {
        "source": (connection.source, SOURCE_KINDS),
        "format": (connection.format, FORMATS),
        "compression": (connection.compression, ("none", "gzip")),
    }
    for key, (value, allowed) in choices.items():
        if value not in allowed:
            raise ConfigError(f"{key} = {value!r} is not known", where=where, hint=f"one of {', '.join(allowed)}")
    if not re.fullmatch(r"[\w.-]+", connection.stream) or connection.stream.startswith("."):
        raise ConfigError(f"stream {connection.stream!r} is not a folder name", where=where)
    if connection.source == "wunderground-table":
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
