"""When a station should have reported: its interval, and one slot for each report that was due. Pure; milliseconds.

A slot stands around the instant at which a report was due, half an interval to either side, and is filled by any
report in it: two reports in one slot fill one slot. The slots of a day follow the station's own clock (reports at
00:04, 00:09, … are due then, not at 00:05), anew each day, so a clock that drifts moves them along. Where its drift
carries it over the edge of a slot, that slot stays empty although the reports around it stand less than 1.5 intervals
apart: no report is missing there, so none was due.
"""

from __future__ import annotations

from math import tau
from typing import Final

import polars as pl

MINUTE: Final = 60_000
DAY: Final = 1440 * MINUTE
ROUNDED_FROM: Final = 45_000
"""Spacings from here on are whole minutes to us, shorter ones whole seconds: clocks drift by seconds."""
LEAST_SPACINGS: Final = 10
SLIP: Final = 1.5
AT_MIDNIGHT: Final = 30_000
"""A report that is due up to so much before midnight (or a tenth of the interval) is the next day's first."""


def usual_interval(times: pl.Series) -> int | None:
    """The most frequent spacing of instants (Int64, ascending), of equally frequent ones the shortest.

    None with fewer than two instants.
    """
    spacing = times.diff().drop_nulls().alias("spacing")
    minutes = ((spacing + MINUTE // 2) // MINUTE) * MINUTE
    seconds = ((spacing + 500) // 1000) * 1000
    rounded = spacing.to_frame().select(
        pl.when(spacing >= ROUNDED_FROM).then(minutes).otherwise(seconds).alias("spacing")
    )
    counted = (
        rounded.filter(pl.col("spacing") > 0).group_by("spacing").len().sort("len", "spacing", descending=[True, False])
    )
    return None if counted.is_empty() else int(counted.item(0, "spacing"))


def usual_intervals(times: pl.DataFrame) -> dict[str, int]:
    """`usual_interval` of many stations at once: `station_id`, `time` (Int64, ascending in each), together."""
    spacing = pl.col("time").diff().over("station_id")
    minutes = ((spacing + MINUTE // 2) // MINUTE) * MINUTE
    seconds = ((spacing + 500) // 1000) * 1000
    counted = (
        times.select("station_id", spacing=pl.when(spacing >= ROUNDED_FROM).then(minutes).otherwise(seconds))
        .filter(pl.col("spacing") > 0)
        .group_by("station_id", "spacing")
        .len()
        .sort("len", "spacing", descending=[True, False])
        .unique("station_id", keep="first", maintain_order=True)
    )
    return dict(counted.select("station_id", "spacing").iter_rows())


def due_slots(times: pl.DataFrame, days: pl.DataFrame, step: int, low: int, high: int) -> pl.DataFrame:
    """The slots of `days` from the one that holds `low` (the first report) to those that were due by `high` (now).

    times: `time` (ascending) and `late` (whether it arrived late), also from outside the days: the first day's clock
    may have to be read from the reports before it. days: `day`, `start`, `end` (bounds of the local day), ascending.
    Gives `day`, `due`, `filled`, `late`, ascending.
    """
    slack = min(step // 10, AT_MIDNIGHT)
    begin, half = pl.col("start") - slack, step // 2
    first = begin + (pl.col("phase") - begin) % step
    empty = pl.int_ranges(first, pl.col("end") - slack, step).alias("due")
    slots = (
        _phases(times, days, step)
        .select("day", empty)
        .explode("due")
        .filter(pl.col("due").is_not_null() & (pl.col("due") > low - half) & (pl.col("due") <= high))
        .set_sorted("due")
    )
    before = times.select("time", before="time", before_late="late")
    after = times.select("time", after="time", after_late="late")
    beside = slots.join_asof(before, left_on="due", right_on="time").join_asof(
        after, left_on="due", right_on="time", strategy="forward"
    )
    earlier = (pl.col("due") - pl.col("before") <= half).fill_null(value=False)
    later = (pl.col("after") - pl.col("due") < half).fill_null(value=False)
    slipped = (pl.col("after") - pl.col("before") < SLIP * step).fill_null(value=False)
    timely = (earlier & ~pl.col("before_late")) | (later & ~pl.col("after_late"))
    filled = earlier | later
    return beside.filter(filled | ~slipped).select(
        "day", "due", filled.alias("filled"), (filled & ~timely.fill_null(value=False)).alias("late")
    )


def _phases(times: pl.DataFrame, days: pl.DataFrame, step: int) -> pl.DataFrame:
    """`days` with `phase`: where in an interval the day's reports stand, the median around their circular mean.

    A day without reports takes that of the day before it, or else of the next; the first one that of the last 24 hours
    in which there were reports before.
    """
    first = days.item(0, "start")
    before = times.filter(pl.col("time") < first).get_column("time")
    if not before.is_empty():
        earlier = pl.DataFrame({"start": [before[-1] - DAY + 1], "end": [first]}, schema_overrides=dict(days.schema))
        days = pl.concat([earlier, days], how="diagonal").select(days.columns)
    angle = (pl.col("time") % step) * (tau / step)
    mean = pl.arctan2(angle.sin().mean(), angle.cos().mean()).over("at") * (step / tau)
    aside = (pl.col("time") - pl.col("mean") + step // 2) % step - step // 2
    known = (
        times.join_asof(days.select("start", "end", at="start"), left_on="time", right_on="start")
        .filter(pl.col("time") < pl.col("end"))
        .with_columns(mean.round().cast(pl.Int64).alias("mean"))
        .group_by(pl.col("at").alias("start"))
        .agg(pl.col("mean").first() + aside.median().round().cast(pl.Int64))
    )
    phase = pl.col("mean") % step
    return (
        days.join(known, on="start", how="left", maintain_order="left")
        .with_columns(phase.forward_fill().backward_fill().fill_null(0).alias("phase"))
        .filter(pl.col("start") >= first)
    )
