"""The store's contract: two engines, one protocol. Everything that needs judgement (the merge) stands above it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from barograph.model import LedgerEntry, LogEntry, RunReport, Station, StationSummary, StoreWaits, SyncReport
from barograph.store.archive import StoreArchive
from barograph.store.schema import Schema

if TYPE_CHECKING:
    import polars as pl


class DayKey(NamedTuple):
    """A station-day: the reports of one station whose UTC instants fall on one UTC date."""

    station_id: str
    day: date

    def __str__(self) -> str:
        return f"{self.station_id}:{self.day.isoformat()}"


@dataclass(frozen=True, slots=True)
class StationDay:
    """One station-day as loaded or to be saved.

    `frame` is a day frame (see `barograph.frame`): unique ascending `utc_time`, never empty, `source` indexing
    `sources`. An entry of `sources` is an object key, or `key#part` where part is a sheet or a JSON array inside.
    `revision` is the one that was loaded: 0 says that the day must not exist yet. Saving writes revision + 1.
    """

    key: DayKey
    revision: int
    frame: pl.DataFrame
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredStation:
    """A station with what the record holds of it, and when its description was extracted."""

    station: Station
    summary: StationSummary
    described_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which log entries, newest first: of one type, of one run, from `since` on, at most `limit` (0: all)."""

    type: str | None = None
    run_id: str | None = None
    limit: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """How the engine finds what `Store.read` asks for, in the engine's own words.

    `stages` begin with the one that returns the documents (rows) and end with the one that finds them. Empty or None is
    what the engine does not tell; `refused` says why it told nothing at all.
    """

    query: str
    stages: tuple[str, ...] = ()
    index: str | None = None
    keys_examined: int | None = None
    documents_examined: int | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What `Store.read` fetches for a span, undecoded, and when it was there; durations in seconds since the call.

    `cursor`: the driver returned a lazy cursor, which has sent nothing (None: it has none). `first`: the first document
    was there (None: there is no document). `complete`: all of them were.
    """

    documents: int
    bytes: int
    cursor: float | None
    first: float | None
    complete: float


@dataclass(frozen=True, slots=True)
class SyncEntry:
    """One sync of a connection, as the report of its run tells it; `sync` names no objects."""

    run_id: str
    command: str
    sync: SyncReport


class StoreReader(Protocol):
    """A store as the read faces have it: what it holds, from whichever server the URL lets them ask.

    All calls are synchronous; instants are aware UTC datetimes. Every error is a `StoreError`; `StoreUnavailable` means
    that the same call may succeed later.
    """

    @property
    def url(self) -> str:
        """Where the store is, without a secret."""

    def read(
        self,
        station_id: str,
        start: datetime,
        end: datetime,
        *,
        variables: Sequence[str] | None = None,
        provenance: bool = False,
    ) -> pl.DataFrame:
        """Reports of a station with start <= utc_time < end, ascending.

        Columns: `utc_time`, the variables asked for (None: every one that is observed in the span) in the table's
        order, then the `<variable>_flag` columns that exist; with `provenance` also `extracted_at`, `origin` (the
        source text, not its index) and `line`. A variable that was asked for is always there, null where nothing is
        known. A span without reports gives an empty frame with `utc_time` and the variables asked for.
        """

    def explain(self, station_id: str, start: datetime, end: datetime) -> AccessPlan:
        """How `read` of the same arguments finds its documents; asks the engine, and changes nothing."""

    def fetch(self, station_id: str, start: datetime, end: datetime) -> Fetch:
        """Fetch what `read` of the same arguments fetches, decode none of it, and tell when it was there."""

    def days(self, station_id: str, start: date, end: date) -> Iterator[StationDay]:
        """The station's days with start <= day < end, ascending, streamed in bounded memory."""

    def stations(self, station_ids: Sequence[str] | None = None) -> list[StoredStation]:
        """Stations by id: all (None), or those that exist among `station_ids`."""

    def objects(self, stream: str | None = None, *, status: str | None = None) -> dict[str, LedgerEntry]:
        """The ledger, by object key: all of it, or the entries of a stream, of a status ("done", "failed")."""

    def logs(self, query: LogQuery) -> list[LogEntry]:
        """Log entries, newest first (timestamp, then id, descending)."""

    def runs(self, limit: int = 0) -> list[dict[str, Any]]:
        """Run reports as JSON-ready dictionaries, newest first (`started`, then `run_id`, descending)."""

    def syncs(self, since: datetime, connection: str | None = None) -> list[SyncEntry]:
        """Syncs (of one connection, or of all) by the runs that started at `since` or later.

        The newest run first; within a run in the order of its report.
        """

    def close(self) -> None:
        """Let go of files and connections; a closed store raises StoreError on use."""


class Store(StoreReader, Protocol):
    """What an engine must do. What it reads is what no failover takes back, so that the job may build upon it.

    Each write is all-or-nothing per unit (a day, a station, a ledger entry, a run) and idempotent.
    """

    @property
    def archive(self) -> StoreArchive:
        """The store as a whole, for backups."""

    def scratch(self) -> AbstractContextManager[Store]:
        """An empty store of the same kind in the same place, removed at the end of the block."""

    def load_days(self, keys: Sequence[DayKey]) -> dict[DayKey, StationDay]:
        """The days that exist among `keys`."""

    def save_days(self, days: Sequence[StationDay]) -> set[DayKey]:
        """Write each day if its revision still stands; return the keys of the days that lost the race."""

    def delete_days(self) -> None:
        """Remove every station-day (the first half of a rebuild)."""

    def put_stations(self, stations: Mapping[Station, datetime | None]) -> None:
        """Insert or replace descriptions; summaries are left alone."""

    def refresh_summaries(self, station_ids: Iterable[str]) -> None:
        """Set each station's summary from its days; a station without a description gets a bare one."""

    def put_objects(self, entries: Sequence[LedgerEntry]) -> None:
        """Insert or replace ledger entries."""

    def delete_objects(self) -> None:
        """Empty the ledger (a rebuild starts here, so that a kill leaves everything to be ingested again)."""

    def put_logs(self, entries: Sequence[LogEntry]) -> None:
        """Append log entries; one whose `log_id` exists is left as it is."""

    def put_run(self, report: RunReport) -> None:
        """Insert or replace a run's report."""

    def expire_logs(self, days: int) -> None:
        """Delete log entries that are older than so many days, now or in time; 0: keep them."""

    def schema(self) -> Schema:
        """The schema's version, what `migrate` would do, and whether a restore is unfinished; writes nothing."""

    def migrate(self) -> list[str]:
        """Bring an older schema forward and mend a damaged one; the steps taken. Idempotent, and safe to be killed."""

    def take_waits(self) -> StoreWaits:
        """What calls waited for since this was last asked; nothing where there is no server to wait for."""
