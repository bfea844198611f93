"""The embedded engine: one SQLite file, one row per station-day.

A UTC day of 288 reports is in hand in about 50 µs and a year of 105,120 in about 12 ms, because a row's blob is an
Arrow IPC stream that polars reads without looking at single values (`arrow_day`). Several processes and threads may use
a file at once: readers never wait, writers take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import orjson
import polars as pl

from barograph.errors import StoreError
from barograph.model import LedgerEntry, LogEntry, RunReport, Station, StoreWaits, utc_now
from barograph.store import arrow_day, sqlite_rows
from barograph.store.base import AccessPlan, DayKey, Fetch, LogQuery, StationDay, StoredStation, SyncEntry
from barograph.store.day_frame import BASE_PROVENANCE, column_of, parts_of, whole_frame
from barograph.store.schema import Schema
from barograph.store.span import Span, check_variables, cut, nothing, to_ms
from barograph.store.sqlite_access import explained, fetched
from barograph.store.sqlite_archive import SqliteArchive
from barograph.store.sqlite_file import SqliteFile
from barograph.store.sync_entries import sync_entries

DAYS_PER_FETCH: Final = 64
"""Days that `days` holds at a time: about 2 MB."""

_LOAD_DAY: Final = """SELECT station_id, day, revision, count, sources, reports, provenance FROM reports
    WHERE station_id = ? AND day = ?"""
_LOAD_DAYS: Final = """SELECT station_id, day, revision, count, sources, reports, provenance FROM reports
    WHERE station_id = ? AND day >= ? AND day < ? ORDER BY day LIMIT ?"""
_READ: Final = """SELECT reports, count FROM reports
    WHERE station_id = ? AND day BETWEEN ? AND ? ORDER BY day"""
_READ_WITH_PROVENANCE: Final = """SELECT reports, count, provenance, sources FROM reports
    WHERE station_id = ? AND day BETWEEN ? AND ? ORDER BY day"""
_INSERT_DAY: Final = """INSERT INTO reports
    (revision, count, first, last, sources, reports, provenance, station_id, day)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_UPDATE_DAY: Final = """UPDATE reports SET revision = ?, count = ?, first = ?, last = ?, sources = ?, reports = ?,
    provenance = ? WHERE station_id = ? AND day = ? AND revision = ?"""
_STATIONS: Final = """SELECT station_id, name, city, latitude, longitude, elevation, type, hardware, software,
    license_info, timezone, described_at, count, first, last FROM stations ORDER BY station_id"""
_STATION: Final = _STATIONS.replace("ORDER BY station_id", "WHERE station_id = ?")
_PUT_STATION: Final = """INSERT INTO stations
    (station_id, name, city, latitude, longitude, elevation, type, hardware, software, license_info, timezone,
    described_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (station_id) DO UPDATE SET
    name = excluded.name, city = excluded.city, latitude = excluded.latitude, longitude = excluded.longitude,
    elevation = excluded.elevation, type = excluded.type, hardware = excluded.hardware, software = excluded.software,
    license_info = excluded.license_info, timezone = excluded.timezone, described_at = excluded.described_at"""
_FORGET_SUMMARY: Final = "UPDATE stations SET count = 0, first = NULL, last = NULL WHERE station_id = ?"
_SUMMARISE: Final = """INSERT INTO stations (station_id, count, first, last)
    SELECT station_id, sum(count), min(first), max(last) FROM reports WHERE station_id = ? GROUP BY station_id
    ON CONFLICT (station_id) DO UPDATE SET count = excluded.count, first = excluded.first, last = excluded.last"""
_OBJECTS: Final = """SELECT key, stream, etag, size, status, ingested_at, oldest, newest, counts, coverage, error,
    run_id FROM objects WHERE (?1 IS NULL OR stream = ?1) AND (?2 IS NULL OR status = ?2) ORDER BY key"""
_PUT_OBJECT: Final = """INSERT OR REPLACE INTO objects
    (key, stream, etag, size, status, ingested_at, oldest, newest, counts, coverage, error, run_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PUT_LOG: Final = """INSERT INTO logs (log_id, timestamp, type, msg, context, run_id)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_LOGS: Final = """SELECT log_id, timestamp, type, msg, context FROM logs WHERE {}
    ORDER BY timestamp DESC, log_id DESC LIMIT ?"""
_EXPIRE_LOGS: Final = "DELETE FROM logs WHERE timestamp < ?"
_PUT_RUN: Final = "INSERT OR REPLACE INTO runs (run_id, started, report) VALUES (?, ?, ?)"
_SYNCS: Final = """SELECT run_id, json_extract(report, '$.command'), json_extract(report, '$.connections') FROM runs
    WHERE started >= ? ORDER BY started DESC, run_id DESC"""
_RUNS: Final = "SELECT report FROM runs ORDER BY started DESC, run_id DESC LIMIT ?"


class SqliteStore:
    """A `Store` in one file; it is created with its folder when it does not exist.

    `patience` is how long (seconds) a call waits while another process writes before it raises StoreUnavailable.
    """

    def __init__(self, path: Path, *, patience: float = 30.0) -> None:
        self._file = SqliteFile(path, patience=patience)

    @property
    def url(self) -> str:
        """The file's URL, with its absolute path."""
        return f"sqlite:///{self._file.path}"

    @property
    def archive(self) -> SqliteArchive:
        """As `Store.archive`."""
        return SqliteArchive(self._file, self._station_day, _day_row)

    @contextmanager
    def scratch(self) -> Iterator[SqliteStore]:
        """As `Store.scratch`: a file in a folder beside this one."""
        folder = self._file.path.parent
        with (
            TemporaryDirectory(prefix=".barograph-drill-", dir=folder) as place,
            closing(SqliteStore(Path(place) / "drill.db")) as store,
        ):
            yield store

    def load_days(self, keys: Sequence[DayKey]) -> dict[DayKey, StationDay]:
        """As `Store.load_days`; one lookup per key."""
        with self._file.reading() as connection:
            rows = [connection.execute(_LOAD_DAY, (key.station_id, key.day.isoformat())).fetchone() for key in keys]
        days = (self._station_day(row) for row in rows if row is not None)
        return {day.key: day for day in days}

    def save_days(self, days: Sequence[StationDay]) -> set[DayKey]:
        """As `Store.save_days`, in one transaction: all days whose revision stands, or on an error none."""
        rows = [_day_row(day) for day in days]
        lost: set[DayKey] = set()
        with self._file.writing() as connection:
            for day, row in zip(days, rows, strict=True):
                if day.revision == 0:
                    cursor = connection.execute(_INSERT_DAY, row)
                else:
                    cursor = connection.execute(_UPDATE_DAY, (*row, day.revision))
                if cursor.rowcount == 0:
                    lost.add(day.key)
        return lost

    def read(
        self,
        station_id: str,
        start: datetime,
        end: datetime,
        *,
        variables: Sequence[str] | None = None,
        provenance: bool = False,
    ) -> pl.DataFrame:
        """As `Store.read`; the span is one consistent state of the file."""
        span = Span.of(start, end)
        check_variables(variables)
        frame = None if span.empty else self._span(station_id, span, variables, provenance=provenance)
        if frame is None:
            return nothing(variables, provenance=provenance)
        return cut(frame, span, variables, provenance=provenance)

    def _span(
        self, station_id: str, span: Span, variables: Sequence[str] | None, *, provenance: bool
    ) -> pl.DataFrame | None:
        """The whole days that the span touches."""
        where = f"{self.url}, {station_id} {span.first_day} to {span.last_day}"
        wanted = None if variables is None else {"utc_time", *variables, *(f"{name}_flag" for name in variables)}
        sql = _READ_WITH_PROVENANCE if provenance else _READ
        with self._file.reading() as connection:
            rows = connection.execute(sql, _bounds(station_id, span))
            if not provenance:
                return arrow_day.decode_days(rows, wanted, where=where)
            known = rows.fetchall()
        frame = arrow_day.decode_days(((row[0], row[1]) for row in known), wanted, where=where)
        return None if frame is None else frame.hstack(_provenance(known, where=where))

    def explain(self, station_id: str, start: datetime, end: datetime) -> AccessPlan:
        """As `Store.explain`; SQLite tells the index, and does not count what it examines."""
        with self._file.reading() as connection:
            return explained(connection, _READ, _bounds(station_id, Span.of(start, end)))

    def fetch(self, station_id: str, start: datetime, end: datetime) -> Fetch:
        """As `Store.fetch`."""
        begun, span = perf_counter(), Span.of(start, end)
        with self._file.reading() as connection:
            rows = () if span.empty else connection.execute(_READ, _bounds(station_id, span))
            return fetched(rows, begun)

    def days(self, station_id: str, start: date, end: date) -> Iterator[StationDay]:
        """As `Store.days`; between two fetches of 64 days no lock and no snapshot is held."""
        low, high = start.isoformat(), end.isoformat()
        while True:
            with self._file.reading() as connection:
                rows = connection.execute(_LOAD_DAYS, (station_id, low, high, DAYS_PER_FETCH)).fetchall()
            yield from map(self._station_day, rows)
            if len(rows) < DAYS_PER_FETCH:
                return
            low = rows[-1][1] + "~"  # sorts behind the day itself and before the next

    def _station_day(self, row: Sequence[Any]) -> StationDay:
        station_id, day, revision, count, sources, reports, provenance = row
        key = DayKey(station_id, date.fromisoformat(day))
        where = f"{self.url}, {key}"
        columns = [
            *arrow_day.decode(reports, count, where=where).get_columns(),
            *arrow_day.decode(provenance, count, where=where).get_columns(),
        ]
        try:
            frame = whole_frame(columns)
        except KeyError as error:
            raise StoreError(
                f"unknown column {error}", where=where, hint="a newer barograph wrote it; upgrade"
            ) from error
        return StationDay(key, revision, frame, tuple(orjson.loads(sources)))

    def delete_days(self) -> None:
        """As `Store.delete_days`; the stations' summaries go to zero with them."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM reports")
            connection.execute("UPDATE stations SET count = 0, first = NULL, last = NULL")

    def stations(self, station_ids: Sequence[str] | None = None) -> list[StoredStation]:
        """As `Store.stations`; one lookup per id that is asked for."""
        with self._file.reading() as connection:
            if station_ids is None:
                rows = connection.execute(_STATIONS).fetchall()
            else:
                found = (connection.execute(_STATION, (key,)).fetchone() for key in sorted(set(station_ids)))
                rows = [row for row in found if row is not None]
        return [sqlite_rows.stored_station(row) for row in rows]

    def put_stations(self, stations: Mapping[Station, datetime | None]) -> None:
        """As `Store.put_stations`, in one transaction."""
        rows = [sqlite_rows.station_row(station, described_at) for station, described_at in stations.items()]
        with self._file.writing() as connection:
            connection.executemany(_PUT_STATION, rows)

    def refresh_summaries(self, station_ids: Iterable[str]) -> None:
        """As `Store.refresh_summaries`; an id with neither days nor a description is passed over."""
        with self._file.writing() as connection:
            for station_id in station_ids:
                connection.execute(_FORGET_SUMMARY, (station_id,))
                connection.execute(_SUMMARISE, (station_id,))

    def objects(self, stream: str | None = None, *, status: str | None = None) -> dict[str, LedgerEntry]:
        """As `Store.objects`."""
        with self._file.reading() as connection:
            rows = connection.execute(_OBJECTS, (stream, status)).fetchall()
        return {entry.key: entry for entry in map(sqlite_rows.ledger_entry, rows)}

    def put_objects(self, entries: Sequence[LedgerEntry]) -> None:
        """As `Store.put_objects`, in one transaction."""
        rows = [sqlite_rows.object_row(entry) for entry in entries]
        with self._file.writing() as connection:
            connection.executemany(_PUT_OBJECT, rows)

    def delete_objects(self) -> None:
        """As `Store.delete_objects`."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM objects")

    def put_logs(self, entries: Sequence[LogEntry]) -> None:
        """As `Store.put_logs`, in one transaction."""
        rows = [sqlite_rows.log_row(entry) for entry in entries]
        with self._file.writing() as connection:
            connection.executemany(_PUT_LOG, rows)

    def logs(self, query: LogQuery) -> list[LogEntry]:
        """As `Store.logs`."""
        given = {name: value for name in ("type", "run_id") if (value := getattr(query, name)) is not None}
        bounds = {f"{name} = ?": value for name, value in given.items()}
        if query.since is not None:
            bounds["timestamp >= ?"] = to_ms(query.since)
        with self._file.reading() as connection:
            sql = _LOGS.format(" AND ".join(["TRUE", *bounds]))
            rows = connection.execute(sql, (*bounds.values(), query.limit or -1)).fetchall()
        return [sqlite_rows.log_entry(row) for row in rows]

    def put_run(self, report: RunReport) -> None:
        """As `Store.put_run`."""
        with self._file.writing() as connection:
            connection.execute(_PUT_RUN, sqlite_rows.run_row(report.as_dict()))

    def runs(self, limit: int = 0) -> list[dict[str, Any]]:
        """As `Store.runs`."""
        with self._file.reading() as connection:
            return [orjson.loads(report) for (report,) in connection.execute(_RUNS, (limit or -1,))]

    def syncs(self, since: datetime, connection: str | None = None) -> list[SyncEntry]:
        """As `Store.syncs`."""
        with self._file.reading() as opened:
            rows = opened.execute(_SYNCS, (to_ms(since),)).fetchall()
        return [
            entry
            for run_id, command, reports in rows
            for entry in sync_entries(run_id, command, orjson.loads(reports or "[]"), connection)
        ]

    def expire_logs(self, days: int) -> None:
        """As `Store.expire_logs`, now."""
        if days:
            with self._file.writing() as connection:
                connection.execute(_EXPIRE_LOGS, (to_ms(utc_now() - timedelta(days=days)),))

    def schema(self) -> Schema:
        """As `Store.schema`."""
        return self._file.schema()

    def migrate(self) -> list[str]:
        """As `Store.migrate`."""
        return self._file.migrate()

    def take_waits(self) -> StoreWaits:
        """As `Store.take_waits`: there is no server. A turn to write is waited for inside of SQLite."""
        return StoreWaits()

    def close(self) -> None:
        """Close the file; a call under way in another thread still ends well."""
        self._file.close()


def _bounds(station_id: str, span: Span) -> tuple[str, str, str]:
    """The parameters of `_READ`."""
    return station_id, span.first_day.isoformat(), span.last_day.isoformat()


def _day_row(day: StationDay) -> tuple[Any, ...]:
    parts = parts_of(day)
    return (
        day.revision + 1,
        parts.count,
        parts.first,
        parts.last,
        orjson.dumps(day.sources).decode(),
        arrow_day.encode(parts.reports),
        arrow_day.encode(parts.provenance, "zstd"),
        day.key.station_id,
        day.key.day.isoformat(),
    )


def _provenance(rows: Sequence[Sequence[Any]], *, where: str) -> list[pl.Series]:
    """`extracted_at`, `origin`, `line` of many days; each row is (reports, count, provenance, sources)."""
    frame = arrow_day.decode_days(((row[2], row[1]) for row in rows), BASE_PROVENANCE, where=where)
    if frame is None:
        return []
    sources: list[str] = []
    offsets = []
    for row in rows:
        offsets.append(len(sources))
        sources += orjson.loads(row[3])
    places = frame.get_column("source").cast(pl.UInt32) + arrow_day.repeated(offsets, [row[1] for row in rows])
    return [frame.get_column("extracted_at"), pl.Series("origin", sources).gather(places), column_of(frame, "line")]
