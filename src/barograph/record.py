"""The record in Python: `barograph.open(url)`, then reports, stations, logs and SQL as polars DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import Self

import orjson
import polars as pl

from barograph.frame import INSTANT
from barograph.query import Query, completeness, sql
from barograph.query.completeness import LATE_HOURS
from barograph.store import open_reader
from barograph.store.base import LogQuery, StoreReader


class Record:
    """A store, open for reading. A context manager; `close` lets go of its files and connections."""

    def __init__(self, store: StoreReader) -> None:
        self._store = store
        self._query = Query(store)

    def __repr__(self) -> str:
        return f"<barograph.Record {self._store.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and connections; a closed record raises StoreError on use."""
        self._store.close()

    def reports(
        self,
        station_id: str,
        start: str | date | None = None,
        end: str | date | None = None,
        *,
        variables: Sequence[str] | None = None,
        utc: bool = False,
        provenance: bool = False,
    ) -> pl.DataFrame:
        """A station's reports, ascending in utc_time (UTC, milliseconds); units as in `barograph.variables`.

        `start` alone is a local day ("2024-10-01"), a month ("2024-10") or a year; `end` is a last day (included), or
        an instant (excluded). Neither: the whole record. Days are the station's local days, UTC days with `utc`.
        Columns: station_id, utc_time, the `variables` (None: all that are observed), `<variable>_flag` where a value
        is not good (QARTOD: 3 suspect, 4 fail), and with `provenance` extracted_at, origin, line.
        Raises UsageError for a date or variable that cannot be, NotFound for an unknown station.
        """
        span = self._query.span(station_id, start, end, utc=utc)
        return self._query.reports(station_id, span, variables=variables, provenance=provenance)

    def stations(self) -> pl.DataFrame:
        """All stations by id: the description, then number of reports, first and last instant of the record."""
        return self._query.stations_frame()

    def completeness(
        self,
        start: str | date | None = None,
        end: str | date | None = None,
        *,
        stations: Iterable[str] | None = None,
        intervals: Mapping[str, float] | None = None,
        utc: bool = False,
        late_hours: float = LATE_HOURS,
    ) -> pl.DataFrame:
        """Expected against received reports, one row per station (None: all) and local day, by station id, then day.

        `start` and `end` are days, months or years as in `reports`; neither: the last 30 days, or the 30 up to the
        newest report where that is older. `intervals` are minutes between two reports by station id; without, the most
        frequent spacing in the record. Columns: station_id, day, interval_minutes, expected (from the station's first
        report on, until now), received (those of them that hold a report), share (null where nothing was expected),
        reports (all of the day), received_late (extracted more than `late_hours` after their instant), gaps: a list of
        {start, end, expected, cause}, instants in UTC, the cause "source had none", "sync failed", "rejected" or
        "late" (nothing has asked for it yet). Raises UsageError, NotFound.
        """
        return completeness(self._store, stations, start, end, intervals=intervals, utc=utc, late_hours=late_hours)

    def logs(self, type: str | None = None, *, run_id: str | None = None, limit: int = 0) -> pl.DataFrame:  # noqa: A002
        """Log entries, newest first: log_id, timestamp, type, msg, and context as a JSON text. `limit` 0: all."""
        entries = self._store.logs(LogQuery(type=type, run_id=run_id, limit=limit))
        return pl.DataFrame(
            [(e.log_id, e.timestamp, e.type, e.msg, orjson.dumps(e.context, default=str).decode()) for e in entries],
            schema={
                "log_id": pl.String(),
                "timestamp": INSTANT,
                **dict.fromkeys(("type", "msg", "context"), pl.String()),
            },
            orient="row",
        )

    def sql(
        self,
        statement: str,
        start: str | date | None = None,
        end: str | date | None = None,
        *,
        stations: Iterable[str] | None = None,
        utc: bool = False,
    ) -> pl.DataFrame:
        """The answer to a SELECT over the tables `reports` and `stations`.

        `start`, `end` and `stations` bound what `reports` holds, as in `reports`. Only the columns that the statement
        mentions are read, piece by piece. Raises UsageError for a statement that polars does not understand.
        """
        return sql(self._query, statement, self._query.spans(stations, start, end, utc=utc))


def open(url: str) -> Record:  # noqa: A001
    """The record in the store at `url`: "sqlite:///meteo.db" or "mongodb://host1,host2/meteo". Raises StoreError."""
    return Record(open_reader(url))
