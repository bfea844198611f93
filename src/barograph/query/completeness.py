"""Expected against received reports per station and local day, with the cause of each gap.

Everything is worked out when it is asked for, from the record, the ledger, the run reports and the logs: what arrives
late changes the answer by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from barograph.errors import UsageError
from barograph.frame import INSTANT
from barograph.model import LONGEST_INTERVAL, epoch_ms, utc_now
from barograph.query.causes import CAUSES, Evidence
from barograph.query.read import Query
from barograph.query.slots import LEAST_SPACINGS, MINUTE, due_slots, usual_interval
from barograph.query.spans import local_day, parse_span

if TYPE_CHECKING:
    from barograph.store.base import StoredStation, StoreReader

GAP: Final = pl.Struct({"start": INSTANT, "end": INSTANT, "expected": pl.Int32(), "cause": pl.Enum(CAUSES)})
COMPLETENESS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "station_id": pl.String(),
    "day": pl.Date(),
    "interval_minutes": pl.Float64(),
    "expected": pl.Int32(),
    "received": pl.Int32(),
    "share": pl.Float64(),
    "reports": pl.Int32(),
    "received_late": pl.Int32(),
    "gaps": pl.List(GAP),
}
"""Columns of a completeness frame, see `completeness`."""

USUAL_DAYS: Final = 30
LATE_HOURS: Final = 48.0
"""A nightly run brings a report up to a day after its instant; one that comes after two days was filled in later."""

_DAY: Final = timedelta(days=1)
_LOOK_BACK: Final = timedelta(days=USUAL_DAYS)


def completeness(
    store: StoreReader,
    station_ids: Iterable[str] | None = None,
    first: str | date | None = None,
    last: str | date | None = None,
    *,
    utc: bool = False,
    intervals: Mapping[str, float] | None = None,
    late_hours: float = LATE_HOURS,
    now: datetime | None = None,
) -> pl.DataFrame:
    """One row per station (None: all) and local day of the days from `first` to `last`, by station id, then day.

    Without `first`: the last 30 local days, or where the stations' newest report is older than that, the 30 up to it;
    none of them before the first report.
    Columns are those of COMPLETENESS_SCHEMA: `expected` reports from the station's first report on and until `now`, one
    per interval (`intervals`, minutes by station id; else the most frequent spacing in the record); `received`, the
    slots of these that hold a report, and `share`, their part (null where nothing was expected); `reports`, all of the
    day; `received_late`, the received that were extracted more than `late_hours` after their instant; and `gaps`: from
    the first report that is missing to one interval after the last (UTC), how many they are, and their cause, one of
    CAUSES. The gaps' `expected` add up to `expected` - `received`. A station with fewer than two reports and no
    interval has null for what depends on it. Raises UsageError, NotFound as `Query.spans`.
    """
    moment = now or utc_now()
    query = Query(store)
    stored = {
        found.station.station_id: found
        for found in (query.stations() if station_ids is None else map(query.station, set(station_ids)))
    }
    given = dict(intervals or {})
    for station_id, minutes in given.items():
        if not 0 < minutes <= LONGEST_INTERVAL:
            raise UsageError(
                f"an interval of {minutes:g} minutes cannot be",
                where=station_id,
                hint=f"it is more than 0, and at most {LONGEST_INTERVAL}, a day",
            )
    days = _Days(list(stored.values()), first, last, moment, utc=utc)
    start = min((days.of(found)[0][1] for found in stored.values() if days.of(found)), default=moment)
    evidence = Evidence(store, start - _DAY) if stored else None
    parts = [pl.DataFrame(schema=COMPLETENESS_SCHEMA)]
    for station_id, found in sorted(stored.items()):
        if evidence is not None:
            one = _Station(store, found, days.of(found), given.get(station_id), late_hours, moment)
            parts.append(one.frame(evidence))
    return pl.concat(parts)


Day = tuple[date, datetime, datetime]
"""A local day and its bounds in UTC."""


class _Days:
    """The local days that are asked for, worked out once for each timezone."""

    def __init__(
        self,
        stored: list[StoredStation],
        first: str | date | None,
        last: str | date | None,
        now: datetime,
        *,
        utc: bool,
    ) -> None:
        if first is None and last is not None:
            raise UsageError("TO is given without FROM", where="FROM TO")
        self._first, self._last, self._utc = first, last, utc
        newest = max((found.summary.last for found in stored if found.summary.last is not None), default=now)
        self._newest = now if now - newest <= timedelta(days=USUAL_DAYS) else newest
        self._oldest = min((found.summary.first for found in stored if found.summary.first is not None), default=now)
        self._known: dict[str, list[Day]] = {}

    def of(self, stored: StoredStation) -> list[Day]:
        name = "UTC" if self._utc else stored.station.timezone or "UTC"
        if name not in self._known:
            self._known[name] = [
                (day, start, end)
                for day in self._dates(name)
                for start, end in [local_day(day, name)]
                if start < end  # a zone may have skipped the day
            ]
        return self._known[name]

    def _dates(self, timezone: str) -> list[date]:
        zone = ZoneInfo(timezone)
        if self._first is None:
            final = self._newest.astimezone(zone).date()
            begin = max(final - timedelta(days=USUAL_DAYS - 1), min(self._oldest.astimezone(zone).date(), final))
            return [begin + timedelta(days=number) for number in range((final - begin).days + 1)]
        span = parse_span(self._first, self._last, timezone=timezone)
        begin = span.start.astimezone(zone).date()
        final = (span.end - timedelta(milliseconds=1)).astimezone(zone).date()
        return [begin + timedelta(days=number) for number in range((final - begin).days + 1)]


class _Station:
    """One station's days."""

    def __init__(
        self,
        store: StoreReader,
        stored: StoredStation,
        days: list[Day],
        minutes: float | None,
        late_hours: float,
        now: datetime,
    ) -> None:
        self.store, self.station_id, self.summary = store, stored.station.station_id, stored.summary
        self.late_hours, self.now = late_hours, now
        self.days = pl.DataFrame(
            [(day, epoch_ms(start), epoch_ms(end)) for day, start, end in days],
            schema={"day": pl.Date, "start": pl.Int64, "end": pl.Int64},
            orient="row",
        ).set_sorted("start")
        self.start, self.end = days[0][1], days[-1][2]
        self.times = self._times()
        self.before = self._instants(self.start - _DAY - _LOOK_BACK, self.start - _DAY)
        self.step = self._interval() if minutes is None else round(minutes * MINUTE)

    def frame(self, evidence: Evidence) -> pl.DataFrame:
        if self.step is None or self.summary.first is None:
            slots = pl.DataFrame(schema={"day": pl.Date, "due": pl.Int64, "filled": pl.Boolean, "late": pl.Boolean})
        else:
            low, high = epoch_ms(self.summary.first), epoch_ms(self.now)
            before = self.before.to_frame().with_columns(late=pl.lit(value=False))
            slots = due_slots(pl.concat([before, self.times]), self.days, self.step, low, high)
        counted = slots.group_by("day").agg(
            expected=pl.len(), received=pl.col("filled").sum(), received_late=pl.col("late").sum()
        )
        rows = (
            self.days.join(counted, on="day", how="left", maintain_order="left")
            .join(self._gaps(slots, evidence), on="day", how="left", maintain_order="left")
            .join(self._reports(), on="day", how="left", maintain_order="left")
        )
        unknown = self.step is None and self.summary.count > 0
        due = [pl.col(name).fill_null(None if unknown else 0) for name in ("expected", "received", "received_late")]
        return (
            rows.with_columns(
                *due,
                pl.col("reports").fill_null(0),
                pl.col("gaps").fill_null([]),
                pl.lit(self.station_id).alias("station_id"),
                pl.lit(None if self.step is None else self.step / MINUTE).alias("interval_minutes"),
            )
            .with_columns(pl.when(pl.col("expected") > 0).then(pl.col("received") / pl.col("expected")).alias("share"))
            .select(list(COMPLETENESS_SCHEMA))
            .cast(pl.Schema(COMPLETENESS_SCHEMA))
        )

    def _times(self) -> pl.DataFrame:
        """The reports of the days, and of a day before and after: `time` in ms, `late`."""
        found = self.store.read(self.station_id, self.start - _DAY, self.end + _DAY, variables=[], provenance=True)
        late = pl.col("extracted_at") - pl.col("utc_time") > timedelta(hours=self.late_hours)
        return found.select(pl.col("utc_time").dt.epoch("ms").alias("time"), late.alias("late")).set_sorted("time")

    def _interval(self) -> int | None:
        """The usual spacing in the days and the 30 before; where there are too few reports, in the record's last 30."""
        times = pl.concat([self.before, self.times.get_column("time")])
        if times.len() <= LEAST_SPACINGS and self.summary.last is not None:
            last = self.summary.last + timedelta(milliseconds=1)
            older = self._instants(last - _LOOK_BACK, last)
            times = older if older.len() > times.len() else times
        return usual_interval(times)

    def _instants(self, start: datetime, end: datetime) -> pl.Series:
        found = self.store.read(self.station_id, start, end, variables=[])
        return found.get_column("utc_time").dt.epoch("ms").alias("time")

    def _reports(self) -> pl.DataFrame:
        """How many reports each day holds."""
        inside = self.times.join_asof(self.days, left_on="time", right_on="start", coalesce=False)
        return inside.filter(pl.col("time") < pl.col("end")).group_by("day").agg(reports=pl.len())

    def _gaps(self, slots: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
        """`day`, `gaps`: missing reports that follow each other on a day and have the same cause are one gap."""
        step = self.step or 1
        missing = slots.with_row_index("place").filter(~pl.col("filled"))
        if missing.is_empty():
            return pl.DataFrame(schema={"day": pl.Date, "gaps": pl.List(GAP)})
        told = evidence.explain(self.station_id, missing, step)
        fresh = (
            (pl.col("place") != pl.col("place").shift(1) + 1)
            | (pl.col("cause") != pl.col("cause").shift(1))
            | (pl.col("day") != pl.col("day").shift(1))
        )
        gaps = (
            told.with_columns(fresh.fill_null(value=True).cum_sum().alias("gap"))
            .group_by("gap", maintain_order=True)
            .agg(
                pl.col("day").first(),
                pl.col("due").first().alias("start"),
                (pl.col("due").last() + step).alias("end"),
                pl.len().alias("expected"),
                pl.col("cause").first(),
            )
            .join(self.days.select("day", "start", midnight="end"), on="day", maintain_order="left")
            .with_columns(
                pl.max_horizontal("start", "start_right"),
                pl.min_horizontal("end", "midnight").alias("end"),
            )
        )
        return (
            gaps.with_columns(
                pl.col("start", "end").cast(INSTANT),
                pl.col("expected").cast(pl.Int32),
                pl.col("cause").cast(pl.Enum(CAUSES)),
            )
            .group_by("day", maintain_order=True)
            .agg(pl.struct("start", "end", "expected", "cause").alias("gaps"))
        )


def totals(frame: pl.DataFrame) -> pl.DataFrame:
    """A completeness frame summed up by station, in its order.

    Columns: `station_id`, `interval_minutes`, `days` (on which reports were due), `expected`, `received`, `share`,
    `received_late`, and how many are missing for each of CAUSES, under its name.
    """
    gaps = frame.select("station_id", "gaps").explode("gaps").drop_nulls("gaps").unnest("gaps")
    causes = gaps.group_by("station_id").agg(
        pl.col("expected").filter(pl.col("cause") == cause).sum().cast(pl.Int64).alias(cause) for cause in CAUSES
    )
    summed = frame.group_by("station_id", maintain_order=True).agg(
        pl.col("interval_minutes").first(),
        (pl.col("expected") > 0).sum().alias("days"),
        pl.col("expected", "received", "received_late").cast(pl.Int64).sum(),
    )
    share = pl.when(pl.col("expected") > 0).then(pl.col("received") / pl.col("expected"))
    return (
        summed.join(causes, on="station_id", how="left", maintain_order="left")
        .with_columns(pl.col(CAUSES).fill_null(0))
        .with_columns(share.alias("share"))
        .select("station_id", "interval_minutes", "days", "expected", "received", "share", "received_late", *CAUSES)
    )


def percent(received: int, expected: int) -> str:
    """A share as it is written, cut and not rounded: one report that is missing must not read as 100 %."""
    if not expected:
        return ""
    return "100 %" if received == expected else f"{received * 1000 // expected / 10:.1f} %"
