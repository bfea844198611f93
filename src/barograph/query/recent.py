"""How complete each station has been of late, for many stations at once; `completeness` tells days, gaps and causes.

Of each station the instants of nine days are read, nothing else, however long its record is. The shares are those of
`completeness`: the same slots, the same local days. A station that plainly misses nothing is told without its slots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from barograph.model import epoch_ms
from barograph.query.slots import AT_MIDNIGHT, MINUTE, SLIP, due_slots, usual_intervals
from barograph.query.spans import local_day

if TYPE_CHECKING:
    from barograph.store.base import StoredStation, StoreReader

DAYS: Final = 7
"""The local days before today."""

_DAY: Final = timedelta(days=1)
_TIMES: Final = pl.Schema({"station_id": pl.String(), "time": pl.Int64()})


@dataclass(frozen=True, slots=True)
class Recent:
    """Received of expected reports, 0 to 1: yesterday (local), and in the seven days up to it.

    None where no report was due, or where the interval is not known.
    """

    yesterday: float | None = None
    week: float | None = None


def recent(
    store: StoreReader, stations: Sequence[StoredStation], now: datetime, intervals: Mapping[str, float] | None = None
) -> dict[str, Recent]:
    """By station id. `intervals`: minutes by station id; else the most frequent spacing of these days."""
    known: dict[str, pl.DataFrame] = {}
    days: dict[str, pl.DataFrame] = {}
    for item in stations:
        zone = item.station.timezone or "UTC"
        if zone not in days:
            days[zone] = _days(zone, now)
        start, end = days[zone].item(0, "start"), days[zone].item(-1, "end")
        summary, name = item.summary, item.station.station_id
        if summary.last is not None and epoch_ms(summary.last) >= start - _ms(_DAY):
            known[name] = _times(store, name, start, end)
    given = {name: round(minutes * MINUTE) for name, minutes in (intervals or {}).items()}
    steps = usual_intervals(pl.concat([pl.DataFrame(schema=_TIMES), *known.values()])) | given
    found = {}
    for item in stations:
        name = item.station.station_id
        times = known.get(name, pl.DataFrame(schema=_TIMES)).get_column("time")
        step, first = steps.get(name), item.summary.first
        if step is None or first is None:
            found[name] = Recent()
        else:
            found[name] = _shares(times, days[item.station.timezone or "UTC"], step, epoch_ms(first), epoch_ms(now))
    return found


def _days(zone: str, now: datetime) -> pl.DataFrame:
    today = now.astimezone(ZoneInfo(zone)).date()
    bounds = [
        (today - timedelta(days=back), *local_day(today - timedelta(days=back), zone)) for back in range(DAYS, 0, -1)
    ]
    return pl.DataFrame(
        [(day, epoch_ms(start), epoch_ms(end)) for day, start, end in bounds if start < end],
        schema={"day": pl.Date, "start": pl.Int64, "end": pl.Int64},
        orient="row",
    ).set_sorted("start")


def _times(store: StoreReader, station_id: str, start: int, end: int) -> pl.DataFrame:
    from barograph.model import from_epoch_ms

    low, high = from_epoch_ms(start) - _DAY, from_epoch_ms(end) + _DAY
    read = store.read(station_id, low, high, variables=[])
    return read.select(pl.lit(station_id).alias("station_id"), time=pl.col("utc_time").dt.epoch("ms")).cast(_TIMES)


def _shares(times: pl.Series, days: pl.DataFrame, step: int, first: int, now: int) -> Recent:
    if _whole(times, days, step):
        return Recent(1.0, 1.0)
    instants = times.to_frame("time").with_columns(late=pl.lit(value=False)).set_sorted("time")
    slots = due_slots(instants, days, step, first, now)
    yesterday = slots.filter(pl.col("day") == days.item(-1, "day"))
    return Recent(_share(yesterday), _share(slots))


def _share(slots: pl.DataFrame) -> float | None:
    return None if slots.is_empty() else float(slots.get_column("filled").sum()) / slots.height


def _whole(times: pl.Series, days: pl.DataFrame, step: int) -> bool:
    """Whether each slot is filled for certain: reports before and through all days, no two of them 1.5 intervals apart.

    At the end there is a report behind the last day, or near to its end, or none was due before the end: where a clock
    stands still (each report of the day at the same place in its interval) that is known without the slots.
    """
    start, end = days.item(0, "start"), days.item(-1, "end")
    inside = times.filter(times < end)
    before = times.filter(times <= start)
    if before.is_empty() or inside.len() < 2:
        return False
    last = int(inside[-1])
    after = times.filter(times >= end)
    told = times.filter((times >= before[-1]) & (times <= (after[0] if not after.is_empty() else last)))
    widest = told.diff().max()
    if not isinstance(widest, int) or widest >= SLIP * step:
        return False
    if not after.is_empty() or end - last <= step // 2:
        return True
    places = inside.filter(inside >= days.item(-1, "start")) % step
    steady = not places.is_empty() and places.min() == places.max()
    return steady and last + step >= end - min(step // 10, AT_MIDNIGHT)


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
