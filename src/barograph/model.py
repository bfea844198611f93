"""What barograph speaks of, as frozen values: stations, rejections, landed objects, log entries, run reports."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

LONGEST_INTERVAL: Final = 1440
"""Minutes from one report of a station to the next, at most: completeness is counted by day."""


def utc_now() -> datetime:
    """The present instant, in UTC, to the millisecond (what every store keeps)."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def iso(instant: datetime) -> str:
    """An aware instant as ISO 8601 in UTC with a `Z`; milliseconds only where there are any."""
    value = instant.astimezone(UTC)
    spec = "milliseconds" if value.microsecond else "seconds"
    return value.isoformat(timespec=spec).replace("+00:00", "Z")


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z."""
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1000 + delta.microseconds // 1000


def from_epoch_ms(millis: int) -> datetime:
    """The instant of `millis` milliseconds since 1970-01-01T00:00Z."""
    seconds, rest = divmod(millis, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


@dataclass(frozen=True, slots=True)
class Station:
    """A station as the feed or the configuration describes it; None is "not said".

    latitude, longitude in degrees (WGS 84), elevation in whole metres, timezone an IANA name.
    """

    station_id: str
    name: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    elevation: int | None = None
    type: str | None = None
    hardware: str | None = None
    software: str | None = None
    license_info: str | None = None
    timezone: str | None = None

    def over(self, other: Station) -> Station:
        """This description, with what it does not say taken from `other`."""
        said = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(other, **said)


@dataclass(frozen=True, slots=True)
class StationSummary:
    """What the record holds of a station: number of reports, first and last instant (UTC)."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refused row (or line, or column): where it stands, what it said, why it is not in the record.

    `line` is the 1-based line of a text object; `sheet` and `row` locate it in a workbook (or in the workbook that a
    landed record came from), or in an array of an answer (`hourly.00052`, 1-based place). `rows` is the number of
    report rows that it costs (0 for a column). `instant` is when its report was made, where the row still tells it;
    else `day` is the local day that it stands in, if that is known.
    """

    object: str
    reason: str
    line: int | None = None
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    station_id: str | None = None
    rows: int = 1
    instant: datetime | None = None
    day: date | None = None

    @property
    def where(self) -> str:
        """The place, as a person would look it up."""
        parts = [self.object]
        parts += [f"sheet {self.sheet}"] if self.sheet is not None else []
        parts += [f"row {self.row}"] if self.row is not None else []
        parts += [f"line {self.line}"] if self.line is not None else []
        parts += [f"column {self.column}"] if self.column is not None else []
        return ", ".join(parts)

    def __str__(self) -> str:
        raw = "" if self.value is None else f" ({self.value!r})"
        return f"{self.where}: {self.reason}{raw}"


@dataclass(frozen=True, slots=True)
class Note:
    """Something a decoder or the merge wants known: an assumption, an ignored column, a vanished report."""

    type: Literal["info", "warning"]
    msg: str
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One document of the `logs` collection. `log_id` is deterministic where the same fact can be logged twice."""

    log_id: str
    timestamp: datetime
    type: str
    msg: str
    context: dict[str, Any] = field(default_factory=dict)


def fact_id(*parts: object) -> str:
    """A deterministic id for a fact: the same parts give the same 24 hexadecimal digits."""
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class LandedObject:
    """An object of the landing zone, as listed. `extracted_at` is what its key says (else its modification time)."""

    key: str
    stream: str
    size: int
    etag: str
    last_modified: datetime
    extracted_at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """The span of one station's reports in one object (UTC instants, both included)."""

    station_id: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Fate of the report rows. rows = new + changed + unchanged + rejected + duplicates."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    duplicates: int = 0
    blank: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def rows(self) -> int:
        """Report rows read (blank rows are not reports)."""
        return self.new + self.changed + self.unchanged + self.rejected + self.duplicates


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What became of a landed object; written after its reports are stored.

    `oldest` and `newest` bound the extraction instants of its records; `error` says why a failed object failed.
    """

    key: str
    stream: str
    etag: str
    size: int
    status: Literal["done", "failed"]
    ingested_at: datetime
    oldest: datetime | None = None
    newest: datetime | None = None
    counts: Counts = Counts()
    coverage: tuple[Coverage, ...] = ()
    error: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one connection's sync did.

    status: "landed", "unchanged", "failed", "stopped" (was asked to end), or "skipped" (under way elsewhere). A sync
    that failed or was stopped may have landed records: an incremental one keeps what lies before its last state.
    """

    connection: str
    stream: str
    status: Literal["landed", "unchanged", "failed", "stopped", "skipped"]
    started: datetime
    finished: datetime
    records: int = 0
    bytes: int = 0
    objects: tuple[str, ...] = ()
    generation: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """What one object's ingest did. status: "done" or "failed"."""

    object: str
    stream: str
    status: Literal["done", "failed"]
    reports: Counts = Counts()
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StoreWaits:
    """How long calls to the store waited for a server: none answered, none was primary, or a majority was missing.

    `calls` waited and were repeated `repeats` times, the longest for `longest_s` seconds (from its first attempt to its
    answer) because of `reason`, all together for `total_s`.
    """

    calls: int = 0
    repeats: int = 0
    longest_s: float = 0.0
    total_s: float = 0.0
    reason: str = ""

    def __add__(self, other: StoreWaits) -> StoreWaits:
        longer = self if self.longest_s >= other.longest_s else other
        return StoreWaits(
            self.calls + other.calls,
            self.repeats + other.repeats,
            longer.longest_s,
            round(self.total_s + other.total_s, 3),
            longer.reason,
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run of the job. status: "done", "incomplete" (something was rejected or failed) or "failed"."""

    run_id: str
    command: str
    started: datetime
    finished: datetime
    status: Literal["done", "incomplete", "failed"]
    connections: tuple[SyncReport, ...] = ()
    objects: tuple[ObjectReport, ...] = ()
    reports: Counts = Counts()
    rejections: tuple[Rejection, ...] = ()
    rejections_total: int = 0
    skipped: int = 0
    errors: tuple[str, ...] = ()
    store_waits: StoreWaits = StoreWaits()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: instants as ISO 8601 with a `Z`."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
