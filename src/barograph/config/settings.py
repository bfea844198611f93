"""The configuration as frozen values, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from barograph.config.kinds import kind_of
from barograph.config.schedule import Schedule
from barograph.config.secrets import references, substitute
from barograph.errors import ConfigError
from barograph.mapping import TableMapping
from barograph.model import Station


@dataclass(frozen=True, slots=True)
class Connection:
    """A named sync: where from, which stream, in which form, how often.

    `options` are the settings of its kind alone. `environ` holds what the environment says of the `${VARIABLE}`s in its
    texts; the texts keep the references, so that they can be shown. `timezones`: those of its stations, for a kind that
    asks by local day.
    """

    name: str
    source: str
    url: str
    stream: str
    station: str | None = None
    format: str = "jsonl"
    compression: str = "none"
    flatten: str = "none"
    schedule: str = "manual"
    enabled: bool = True
    tags: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    mapping: TableMapping | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False, compare=False)
    timezones: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def first_day(self) -> date | None:
        """The local day of the first row of a table that carries no date."""
        return self.options.get("first_day")

    @property
    def decoder(self) -> str:
        """The kind of source whose decoder reads what this connection lands."""
        return str(self.options.get("decoder") or kind_of(self.source).decoder or self.source)

    @property
    def folders(self) -> tuple[str, ...]:
        """The streams of the landing zone that it writes."""
        return tuple(map(self.folder, self.options.get("streams") or ("",)))

    def folder(self, source_stream: str) -> str:
        """Where the records of a stream of its source are landed; "" is the only one."""
        if not source_stream or not self.options.get("streams"):
            return self.stream
        return f"{self.options.get('stream_prefix') or ''}{source_stream}"

    def reveal(self, value: Any) -> Any:
        """A setting's value with its `${VARIABLE}`s replaced; never for a message. Raises ConfigError for one unset."""
        try:
            return substitute(value, self.environ)
        except KeyError as missing:
            raise ConfigError(
                f"the environment variable {missing.args[0]} is not set",
                where=f"connection {self.name}",
                hint=f"export {missing.args[0]}=… before barograph starts; the configuration refers to it",
            ) from None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show: the values of the variables that it refers to."""
        return tuple(self.environ[name] for name in references((self.url, self.options)) if self.environ.get(name))


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
    """Everything the job needs to know, checked. `intervals`: minutes between two reports, by station id."""

    data_dir: Path
    landing_url: str
    landing_prefix: str
    store_url: str = field(repr=False)
    backup_url: str = ""
    stations: Mapping[str, Station] = field(default_factory=dict)
    intervals: Mapping[str, int] = field(default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    limits: Limits = Limits()
    rejected_threshold: float = 0.0
    batch_rows: int = 50_000
    store_patience: float = 60.0
    log_days: int = 0
    retention: Retention = Retention()
    metrics_textfile: Path | None = None
    metrics_emf: bool = False
    metrics_series: int = 50
    concurrency: int = 4
    timezone: str = "UTC"
    config_file: Path | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """What no log may show: the values of the connections' `${VARIABLE}`s, of passwords in addresses, of AWS keys."""

    def schedule(self, connection: Connection) -> Schedule | None:
        """When the scheduler syncs a connection, enabled or not; None: only by hand."""
        return Schedule.of(connection.schedule, self.timezone)
