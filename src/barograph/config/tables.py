"""Every setting of barograph.toml, as declarative tables, and every BAROGRAPH_* variable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

FORMATS: Final = ("csv", "jsonl")
FLATTENING: Final = ("none", "root")
"""Airbyte's "No flattening" and "Root level flattening"."""
MIB: Final = 1024 * 1024
LONGEST_LOG: Final = 24_855
"""Days: MongoDB's TTL indexes take at most 2^31 - 1 seconds."""


class Secret(str):
    """The type of a setting whose value must be `${VARIABLE}`: the environment says it, the file never does."""

    __slots__ = ()


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
    "metrics": {
        "textfile": Option(str, None, "file that every run writes, for node_exporter's textfile collector"),
        "emf": Option(bool, False, "whether every run prints its metrics for CloudWatch (embedded metric format)"),
        "emf_series": Option(int, 50, "stations, and connections, with series of their own in CloudWatch: the stalest"),
    },
    "ingest": {
        "rejected_threshold": Option(float, 0.0, "share of a run's report rows that may be rejected before it exits 3"),
        "batch_rows": Option(int, 50_000, "report rows held in memory before they are merged into the store"),
    },
    "sync": {
        "concurrency": Option(int, 4, "connections that are synced at once, at least 1"),
    },
    "scheduler": {
        "timezone": Option(str, "UTC", "IANA timezone of the connections' schedules; daily is its midnight"),
    },
    "limits": {
        "http_timeout": Option(float, 30.0, "seconds without an answer, or a byte of it, before a server is given up"),
        "http_retries": Option(int, 2, "further tries when a server answers 5xx or 429, or not at all"),
        "source_mib": Option(int, 512, "largest file a source may send"),
        "unpacked_mib": Option(int, 512, "largest size of a workbook, or a row group of Parquet, when unpacked"),
        "object_mib": Option(int, 16_384, "largest size of a landed object when unpacked"),
        "record_mib": Option(int, 64, "longest line of a table, largest block of Avro (answers in JSONL are streamed)"),
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
        "interval": Option(int, None, "minutes from one report to the next, for completeness; default as it reports"),
    },
    "connections": {
        "source": Option(str, None, "kind of source, see docs/sources.md"),
        "url": Option(str, None, "path or http(s) URL; a relative path starts at this file's folder"),
        "station": Option(str, None, "the station that the source's rows belong to, where they do not say it"),
        "stream": Option(str, None, "folder in the landing zone; default the connection's name"),
        "format": Option(str, "jsonl", "what is landed: csv or jsonl"),
        "compression": Option(str, "none", "gzip or none"),
        "flatten": Option(str, "none", "none, or root: a record's fields in the place of _airbyte_data"),
        "schedule": Option(str, "manual", "when `scheduler` syncs it: manual, daily, or five fields as in cron"),
        "enabled": Option(bool, True, "whether run and sync without names take it"),
        "tags": Option(list, (), "words to find it by"),
    },
}
# fmt: on

FIRST_DAY: Final = Option(date, None, "local day of the first row, for a table that carries no date")

MAPPING_OPTIONS: Final[dict[str, Option]] = {
    "columns": Option(dict, None, "where the table says the time and each variable, see docs/sources/table.md"),
    "station_column": Option(str, None, "the column that names each row's station, where the connection names none"),
    "station_prefix": Option(str, "", "what goes before the name that station_column says"),
    "station_columns": Option(dict, None, "what the table says of its stations: name, latitude, ... = its column"),
    "license_info": Option(str, None, "licence, source and address of the data, carried to its stations"),
}
"""The settings of every kind whose records the decoder "table" reads."""

ENVIRONMENT: Final[dict[str, str]] = {
    "BAROGRAPH_CONFIG": "the configuration file; default barograph.toml in the working folder",
    "BAROGRAPH_DATA_DIR": "the data folder; default ./barograph-data",
    "BAROGRAPH_LANDING": "the landing zone's URL, over [landing] url",
    "BAROGRAPH_STORE": "the store's URL, over [store] url",
    "BAROGRAPH_STORE_FILE": "file whose first line is the store's URL, where BAROGRAPH_STORE is not set",
    "BAROGRAPH_BACKUPS": "the place of the backups, over [backup] url",
    "BAROGRAPH_MONGOD": "the mongod that `cluster up` starts; default the one on PATH, else that of the mongod extra",
    "BAROGRAPH_CLUSTER_PORT": "from which port on `cluster up` looks for free ones, for a new set; default 27117",
    "BAROGRAPH_ALERT_URL": "web hook to which `alert` posts what failed; a secret",
    "BAROGRAPH_LOG_FORMAT": "the process log on stderr: human, json or none; default human in the journal, else none",
    "BAROGRAPH_LOG_LEVEL": "its least level: debug, info, warning or error; default info",
    "BAROGRAPH_DEBUG": "1: show the traceback behind an error of the command line",
}
