"""One object's ingest: landing -> decode -> quality -> merge -> store, in pieces of bounded size."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final

import polars as pl

from barograph.decode import DecodeContext, Decoded, decode_object
from barograph.errors import FormatError, LandingError, StoreUnavailable
from barograph.landing import LandingZone, open_object
from barograph.model import (
    Counts,
    Coverage,
    LandedObject,
    LedgerEntry,
    ObjectReport,
    Rejection,
    Station,
    StationSummary,
    utc_now,
)
from barograph.pipeline.ahead import Ahead
from barograph.quality import flag_gross_range
from barograph.store.base import DayKey, StationDay, Store, StoredStation
from barograph.store.merge import DayRows, Merged, merge_day, split_days

if TYPE_CHECKING:
    from barograph.config import Limits
    from barograph.pipeline.journal import Journal
    from barograph.pipeline.progress import Progress

FLUSH_ROWS: Final = 15_000
"""Rows after which a merge begins, before batch_rows asks for it: about what one piece of an object holds.

So the store works while the next piece is decoded. A year of five stations takes 2.5 s into SQLite and 4.0-5.3 s into a
replica set, against 3.1 and 5.2-8.1 s when each object is decoded to its end first.
"""

HELD_ROWS: Final = 150_000
"""Rows of days that may go on, which are held back: half a day of 1,000 stations at 5 minutes.

A table of many stations in the order of time would otherwise have each of its days merged at every flush.
"""

DAYS_AT_ONCE: Final = 250
"""Station-days that are loaded, merged and saved together."""

ATTEMPTS: Final = 20
"""How often a day is merged anew when other writers keep winning the race for its revision."""


@dataclass(slots=True)
class Ingest:
    """What all objects of a run share."""

    zone: LandingZone
    store: Store
    journal: Journal
    limits: Limits
    contexts: Mapping[str, DecodeContext]
    configured: Mapping[str, Station]
    batch_rows: int
    run_id: str
    ledger: dict[str, LedgerEntry]
    listed: Mapping[str, LandedObject]
    progress: Progress
    whole: frozenset[str] = frozenset()
    """Keys of the objects that hold all that their source said (`whole_exports`)."""
    touched: set[str] = field(default_factory=set)
    stations: dict[str, StoredStation] = field(default_factory=dict)


def ingest_object(shared: Ingest, item: LandedObject) -> tuple[ObjectReport, list[Rejection]]:
    """Ingest one object and write its ledger entry, after its reports.

    A bad object is marked failed and tried again on the next run; what was readable of it is in the record.
    """
    started = time.monotonic()
    work = _Work(shared, item)
    error: str | None = None
    try:
        work.run()
    except (FormatError, LandingError) as problem:
        error = str(problem)
        kind = type(problem).__name__
        shared.journal.event("error", f"ingest of {item.key} failed: {problem}", object=item.key, exception=kind)
    shared.journal.count_rest(item.key)
    seconds = time.monotonic() - started
    entry = LedgerEntry(
        key=item.key,
        stream=item.stream,
        etag=item.etag,
        size=item.size,
        status="failed" if error else "done",
        ingested_at=utc_now(),
        oldest=work.oldest,
        newest=work.newest,
        counts=work.counts,
        coverage=tuple(Coverage(name, *span) for name, span in sorted(work.spans.items())),
        error=error,
        run_id=shared.run_id,
    )
    if error is None:
        told = ", ".join(f"{getattr(work.counts, name)} {name}" for name in ("new", "changed", "unchanged", "rejected"))
        shared.journal.event("info", f"ingest of {item.key}: {told}", object=item.key)
    shared.journal.flush()
    shared.store.put_objects([entry])
    shared.ledger[item.key] = entry
    report = ObjectReport(item.key, item.stream, entry.status, work.counts, round(seconds, 3), error)
    return report, work.rejections


def decode_pieces(shared: Ingest, item: LandedObject) -> Iterator[Decoded]:
    """An object of the landing zone, decoded piece by piece."""
    limit = shared.limits.object_mib
    return decode_object(item, lambda: open_object(shared.zone, item, limit_mib=limit), shared.contexts[item.stream])


class _Work:
    """The state of one object's ingest."""

    def __init__(self, shared: Ingest, item: LandedObject) -> None:
        self.shared, self.item = shared, item
        self.counts = Counts()
        self.rejections: list[Rejection] = []
        self.spans: dict[str, tuple[datetime, datetime]] = {}
        self.oldest: datetime | None = None
        self.newest: datetime | None = None
        self._frames: list[pl.DataFrame] = []
        self._rows = 0

    def run(self) -> None:
        try:
            # The next piece is decoded while this one is merged and stored: two cores, two stages.
            with Ahead(decode_pieces(self.shared, self.item)) as pieces:
                for piece in pieces:
                    self._take(piece)
        finally:
            # Also when the rest of the object turned out to be unreadable: what was read is good.
            self._flush(everything=True)

    def _take(self, piece: Decoded) -> None:
        for station, described_at in piece.stations:
            describe(self.shared, station, described_at)
        self.counts += Counts(blank=piece.blank, rejected=sum(rejection.rows for rejection in piece.rejections))
        self._reject(piece.rejections)
        for note in piece.notes:
            self.shared.journal.note(note, self.item.etag)
        if not piece.frame.is_empty():
            self._frames.append(flag_gross_range(piece.frame))
            self._rows += piece.frame.height
        if self._rows >= self.shared.batch_rows or (self._rows >= FLUSH_ROWS and not self._late):
            self._flush(everything=False)

    @cached_property
    def _late(self) -> bool:
        """Whether newer extractions were ingested before: then every flush reads them again, so there must be few."""
        newest = (entry.newest for entry in self.shared.ledger.values() if entry.newest is not None)
        return any(instant > self.item.extracted_at for instant in newest)

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        self.rejections += rejections
        for rejection in rejections:
            self.shared.journal.rejection(rejection, self.item.etag)

    def _flush(self, *, everything: bool) -> None:
        """Merge what was decoded.

        Each station's last day is held back until it is over, or the object ends, so that a day is merged once, unless
        so many stations are under way that holding them would not be bounded.
        """
        if not self._frames:
            return
        frame = pl.concat(self._frames, how="diagonal") if len(self._frames) > 1 else self._frames[0]
        self._frames, self._rows = [], 0
        complete = everything
        if not everything:
            day = pl.col("utc_time").dt.date()
            held = frame.select((day == day.max().over("station_id")).alias("held")).to_series()
            if held.sum() <= HELD_ROWS:
                self._frames, self._rows = [frame.filter(held)], 0
                frame = frame.filter(~held)
                complete = True
        self._note_span(frame)
        later = self._later(frame)
        days = split_days(frame)
        # A report that is not there is missed only where all of the source's day is.
        stream = self.item.stream if complete and self.item.key in self.shared.whole else None
        for keys in batched(days, DAYS_AT_ONCE):
            for merged in save_merged(self.shared.store, stream, {key: days[key] for key in keys}, later):
                self.counts += merged.counts
                self._reject(merged.rejections)
                for note in merged.notes:
                    self.shared.journal.note(note, self.item.etag)
        self.shared.touched.update(key.station_id for key in days)

    def _note_span(self, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        spans = frame.group_by("station_id").agg(
            pl.col("utc_time").min().alias("a"), pl.col("utc_time").max().alias("b")
        )
        for station_id, first, last in spans.iter_rows():
            a, b = self.spans.get(station_id, (first, last))
            self.spans[station_id] = (min(a, first), max(b, last))
        extracted = frame.get_column("extracted_at")
        ends: list[datetime] = pl.Series([extracted.min(), extracted.max()]).to_list()
        self.oldest = min(ends if self.oldest is None else [self.oldest, *ends])
        self.newest = max(ends if self.newest is None else [self.newest, *ends])

    def _later(self, frame: pl.DataFrame) -> dict[DayKey, DayRows]:
        """Reports of the same instants from newer extractions that were ingested before this (late) object.

        A day in which an extraction changes nothing is not written, so the store cannot tell that it confirmed the
        values; the landing zone can.
        """
        if frame.is_empty():
            return {}
        oldest: datetime = frame.get_column("extracted_at").min()  # type: ignore[assignment]
        wanted = frame.select("station_id", "utc_time").unique()
        found: list[pl.DataFrame] = []
        for key, entry in self.shared.ledger.items():
            if key == self.item.key or key not in self.shared.listed or entry.stream not in self.shared.contexts:
                continue
            # At the same extraction instant the greater key counts as the later one.
            if entry.newest is None or (entry.newest, key) < (oldest, self.item.key):
                continue
            if not any(overlaps(self.spans.get(c.station_id), c) for c in entry.coverage):
                continue
            # Of an object that failed in the middle, what is whole counts; its failure is not this object's.
            with suppress(FormatError, LandingError):
                for piece in decode_pieces(self.shared, self.shared.listed[key]):
                    rows = piece.frame.join(wanted, on=["station_id", "utc_time"], how="semi")
                    if not rows.is_empty():
                        found.append(flag_gross_range(rows))
        return (
            split_days(pl.concat(found, how="diagonal").sort("station_id", "utc_time", maintain_order=True))
            if found
            else {}
        )


def batched(keys: Iterable[DayKey], size: int) -> Iterator[list[DayKey]]:
    """The keys, so many at a time (itertools has it from Python 3.12 on)."""
    left = iter(keys)
    while part := list(islice(left, size)):
        yield part


def overlaps(span: tuple[datetime, datetime] | None, other: Coverage) -> bool:
    """Whether a span of instants (both ends included) and an object's coverage of the same station meet."""
    return span is not None and span[0] <= other.last and other.first <= span[1]


def save_merged(
    store: Store, stream: str | None, days: Mapping[DayKey, DayRows], later: Mapping[DayKey, DayRows]
) -> list[Merged]:
    """Merge each day into the store; days that another writer changed in between are loaded and merged again."""
    final: dict[DayKey, Merged] = {}
    waiting = list(days)
    for attempt in range(ATTEMPTS):
        stored = store.load_days(waiting)
        merged = [merge_day(key, stored.get(key), days[key], stream=stream, later=later.get(key)) for key in waiting]
        to_write: list[StationDay] = [m.day for m in merged if m.day is not None]
        lost = store.save_days(to_write) if to_write else set()
        final |= {m.key: m for m in merged if m.key not in lost}
        waiting = [key for key in waiting if key in lost]
        if not waiting:
            return list(final.values())
        time.sleep(random.uniform(0, min(0.5, 0.005 * 2**attempt)))  # noqa: S311 - jitter, not a secret
    raise StoreUnavailable(
        f"{len(waiting)} station-days kept changing under us, {waiting[0]} among them",
        hint="run again, one job at a time",
    )


def describe(shared: Ingest, station: Station, described_at: datetime | None) -> None:
    """Record a station's description: configuration over feed, a later feed over an earlier one."""
    known = shared.stations.get(station.station_id)
    if (
        known is not None
        and known.described_at is not None
        and described_at is not None
        and described_at < known.described_at
    ):
        station, described_at = known.station.over(station), known.described_at
    elif known is not None:
        station, described_at = station.over(known.station), described_at or known.described_at
    configured = shared.configured.get(station.station_id)
    if configured is not None:
        station = configured.over(station)
    if known is not None and known.station == station:
        return
    shared.store.put_stations({station: described_at})
    summary = StationSummary() if known is None else known.summary
    shared.stations[station.station_id] = StoredStation(station, summary, described_at)
