"""Proving the record: the landing zone decoded and merged again, and held against the store value by value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from barograph.frame import INSTANT, variables_in
from barograph.model import RunReport, iso
from barograph.pipeline.job import Job, ingest
from barograph.store import open_store

if TYPE_CHECKING:
    from barograph.store.base import StationDay, StoreReader

SHOWN_DIFFERENCES: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One value (or a whole report, where `variable` is None) on which the store and the landing zone differ.

    kind: "missing" (landed, not stored), "extra" (stored, and its object still stands but does not say it),
    "different" (both, with other values), "unproven" (stored, but its object is no longer in the landing zone).
    """

    kind: Literal["missing", "extra", "different", "unproven"]
    station_id: str
    utc_time: datetime
    variable: str | None
    stored: float | str | None
    landed: float | str | None
    origin: str
    line: int | None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome. `differences` holds the first 200; `total` counts all, `unproven` reports are counted apart."""

    stations: int
    reports: int
    values: int
    total: int
    unproven: int
    differences: tuple[Difference, ...]
    failed_objects: tuple[str, ...]

    @property
    def proven(self) -> bool:
        """Whether every stored value follows from the landing zone, and nothing that was landed is missing."""
        return self.total == 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        plain = asdict(self)
        plain["proven"] = self.proven
        for difference in plain["differences"]:
            difference["utc_time"] = iso(difference["utc_time"])
        return plain


def verify(job: Job) -> VerifyReport:
    """Compare the store with the landing zone, value by value, in bounded memory.

    The record is built anew from the landing zone into a temporary embedded store (of about the record's size), and
    both are read side by side. Neither the store nor the landing zone is changed.
    """
    with tempfile.TemporaryDirectory(prefix="barograph-verify-") as folder:
        fresh = open_store(f"sqlite:///{Path(folder) / 'landed.db'}")
        try:
            report = ingest(replace(job, store=fresh))
            standing = {item.key for item in job.zone.objects()}
            return _compare(job.store, fresh, standing, report)
        finally:
            fresh.close()


def _compare(store: StoreReader, fresh: StoreReader, standing: set[str], report: RunReport) -> VerifyReport:
    tally = _Tally(standing)
    for station_id in sorted({s.station.station_id for s in (*store.stations(), *fresh.stations())}):
        pairs = _pairs(store.days(station_id, date.min, _END), fresh.days(station_id, date.min, _END))
        for stored, landed in pairs:
            tally.day(station_id, stored, landed)
    return VerifyReport(
        stations=len(tally.stations),
        reports=tally.reports,
        values=tally.values,
        total=tally.total,
        unproven=tally.unproven,
        differences=tuple(tally.differences),
        failed_objects=tuple(item.object for item in report.objects if item.error),
    )


_END: Final = date.max - timedelta(days=1)


def _pairs(
    left: Iterator[StationDay], right: Iterator[StationDay]
) -> Iterator[tuple[StationDay | None, StationDay | None]]:
    """Both streams of days, matched by day."""
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.key.day < b.key.day):
            yield a, None
            a = next(left, None)
        elif a is None or b.key.day < a.key.day:
            yield None, b
            b = next(right, None)
        else:
            yield a, b
            a, b = next(left, None), next(right, None)


class _Tally:
    def __init__(self, standing: set[str]) -> None:
        self.standing = standing
        self.stations: set[str] = set()
        self.reports = self.values = self.total = self.unproven = 0
        self.differences: list[Difference] = []

    def day(self, station_id: str, stored: StationDay | None, landed: StationDay | None) -> None:
        """Hold one stored day against the same day of the landing zone."""
        ours, theirs = _side(stored, "s"), _side(landed, "l")
        names = variables_in({*(stored.frame.columns if stored else ()), *(landed.frame.columns if landed else ())})
        if stored is not None:
            self.stations.add(station_id)
            self.reports += stored.frame.height
            known = variables_in(stored.frame.columns)
            self.values += stored.frame.height * len(known) - sum(stored.frame.select(known).null_count().row(0))
        joined = ours.join(theirs, on="utc_time", how="full", coalesce=True)
        joined = joined.with_columns(
            pl.lit(None).alias(f"{name}__{side}")
            for name in names
            for side in "sl"
            if f"{name}__{side}" not in joined.columns
        )
        differs = [pl.col(f"{name}__s").ne_missing(pl.col(f"{name}__l")) for name in names]
        there = pl.col("__s").is_null() | pl.col("__l").is_null()
        for row in joined.filter(pl.any_horizontal([there, *differs])).sort("utc_time").iter_rows(named=True):
            self._row(station_id, row, names)

    def _row(self, station_id: str, row: dict[str, Any], names: list[str]) -> None:
        origin = row["__origin__s"] or row["__origin__l"] or ""
        line = row["__line__s"] if row["__s"] else row["__line__l"]
        if row["__l"] is None:
            gone = origin.partition("#")[0] not in self.standing
            self._add(
                Difference("unproven" if gone else "extra", station_id, row["utc_time"], None, None, None, origin, line)
            )
            return
        if row["__s"] is None:
            self._add(Difference("missing", station_id, row["utc_time"], None, None, None, origin, line))
            return
        for name in names:
            stored, landed = row[f"{name}__s"], row[f"{name}__l"]
            if stored != landed:
                self._add(Difference("different", station_id, row["utc_time"], name, stored, landed, origin, line))

    def _add(self, difference: Difference) -> None:
        if difference.kind == "unproven":
            self.unproven += 1
        else:
            self.total += 1
        if len(self.differences) < SHOWN_DIFFERENCES:
            self.differences.append(difference)


def _side(day: StationDay | None, side: str) -> pl.DataFrame:
    """A day's values with its origins spelled out, its columns marked by side."""
    if day is None:
        schema: dict[str, pl.DataType] = {
            "utc_time": INSTANT,
            f"__{side}": pl.Boolean(),
            f"__origin__{side}": pl.String(),
            f"__line__{side}": pl.Int32(),
        }
        return pl.DataFrame(schema=schema)
    origins = dict(enumerate(day.sources))
    return day.frame.select(
        "utc_time",
        pl.lit(value=True).alias(f"__{side}"),
        pl.col("source").replace_strict(origins, default=None, return_dtype=pl.String).alias(f"__origin__{side}"),
        pl.col("line").alias(f"__line__{side}"),
        *(pl.col(name).alias(f"{name}__{side}") for name in variables_in(day.frame.columns)),
    )
