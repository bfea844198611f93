"""What a plot draws, as frames: unbroken segments, buckets of long spans, gaps, flagged values. Pure.

A failing value (flag 4) is no part of a line, a band or a mean; it is drawn as itself, ringed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from barograph.frame import FLAG_SUFFIX, INSTANT, variables_in

GAP_FACTOR: Final = 2.5
RAW_POINTS: Final = 5000
MOST_BUCKETS: Final = 750
BUCKETS: Final = (
    ("5 minutes", "5m", timedelta(minutes=5)),
    ("15 minutes", "15m", timedelta(minutes=15)),
    ("hour", "1h", timedelta(hours=1)),
    ("3 hours", "3h", timedelta(hours=3)),
    ("day", "1d", timedelta(days=1)),
    ("week", "1w", timedelta(weeks=1)),
    ("month", "1mo", timedelta(days=30)),
    ("year", "1y", timedelta(days=365)),
)
"""Widths of a bucket: what it is called, how polars writes it, how long it is about."""

DAY: Final = BUCKETS[4]

SUSPECT: Final = 3
FAIL: Final = 4


def observed(frame: pl.DataFrame) -> list[str]:
    """The variables that have a value in the frame, in the table's order."""
    return [name for name in variables_in(frame.columns) if frame.get_column(name).null_count() < frame.height]


def cadence(times: pl.Series) -> timedelta | None:
    """The usual time between two reports: the median. None with fewer than two."""
    if times.len() < 2:
        return None
    median = times.sort().diff().drop_nulls().median()
    return median if isinstance(median, timedelta) else None


def expected(start: datetime, end: datetime, step: timedelta) -> int:
    """How many reports fit into [start, end) at one per `step`."""
    return max(round((end - start) / step), 1)


def gaps(times: pl.Series, start: datetime, end: datetime, step: timedelta) -> list[tuple[datetime, datetime]]:
    """The parts of [start, end) without reports for longer than 2.5 times `step`, at the edges too."""
    if times.is_empty():
        return [(start, end)]
    ordered = times.sort()
    edges = [start, *ordered.to_list(), end]
    wide = pl.Series(edges).diff().fill_null(timedelta()) > step * GAP_FACTOR
    return [(edges[index - 1], edges[index]) for index in wide.arg_true()]


def segments(frame: pl.DataFrame, name: str, *, falls: bool = True) -> pl.DataFrame:
    """The line of a variable: `utc_time`, `value`, and the number of its unbroken `segment`.

    A line breaks where the next value comes later than 2.5 times the variable's usual cadence, and with `falls` False
    also where the value falls (a running total that starts again).
    """
    values = _good(frame, name)
    step = cadence(values.get_column("utc_time"))
    breaks = pl.lit(value=False) if step is None else pl.col("utc_time").diff() > step * GAP_FACTOR
    if not falls:
        breaks |= pl.col("value").diff() < 0
    return values.with_columns(_numbered(breaks))


def bucket_of(start: datetime, end: datetime, points: int) -> tuple[str, str, timedelta] | None:
    """The bucket in which to sum up a span of `points` reports; None where each can be drawn (up to 5000)."""
    if points <= RAW_POINTS:
        return None
    return next((bucket for bucket in BUCKETS if (end - start) / bucket[2] <= MOST_BUCKETS), BUCKETS[-1])


def buckets(frame: pl.DataFrame, name: str, bucket: tuple[str, str, timedelta], timezone: str) -> pl.DataFrame:
    """A long line of a variable: `utc_time` (the middle of each bucket), `low`, `mean`, `high`, `total`, `segment`.

    Buckets are of local time, so that a day is the station's day; one without values is left out, and breaks the
    line when the next comes later than 2.5 buckets.
    """
    _, every, width = bucket
    local = _good(frame, name).with_columns(pl.col("utc_time").dt.convert_time_zone(timezone)).sort("utc_time")
    value = pl.col("value")
    summed = local.group_by_dynamic("utc_time", every=every).agg(
        low=value.min(), mean=value.mean(), high=value.max(), total=value.sum()
    )
    middle = (pl.col("utc_time") + width / 2).dt.convert_time_zone("UTC")
    return summed.with_columns(middle, _numbered(pl.col("utc_time").diff() > width * GAP_FACTOR))


def growth(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """`utc_time` and `name`: by how much a running total grew since the report before; the first is left out.

    The counters start again at an hour of their own (local midnight, or 8 in the morning). A fall to less than half
    is such a start, and the new value what fell since; a smaller fall is a correction, and counts as nothing.
    """
    value, before = pl.col("value"), pl.col("value").shift(1)
    grown = pl.when(value >= before).then(value - before).when(value < before / 2).then(value).otherwise(0.0)
    return _good(frame, name).sort("utc_time").select("utc_time", grown.alias(name))[1:]


def apart(frame: pl.DataFrame, name: str, length: timedelta) -> pl.DataFrame:
    """`utc_time` and `name`: amounts of the past `length` that do not overlap, so that they may be added up.

    The first of the frame, then always the next that comes at least `length` later.
    """
    values = _good(frame, name).sort("utc_time")
    kept: list[datetime] = []
    for instant in values.get_column("utc_time"):
        if not kept or instant - kept[-1] >= length:
            kept.append(instant)
    return values.filter(pl.col("utc_time").is_in(kept)).rename({"value": name})


def directions(frame: pl.DataFrame, bucket: tuple[str, str, timedelta], timezone: str) -> pl.DataFrame:
    """Where the wind came from in a long span: `utc_time` (start of a bucket), `sector`, `share`.

    `sector` is 0 to 15 for N, NNE, …; `share` is its part of the bucket's reports that have a direction and are not
    calm.
    """
    sector = ((pl.col("value") / 22.5).round().cast(pl.Int32) % 16).alias("sector")
    good = moving(frame).with_columns(pl.col("utc_time").dt.convert_time_zone(timezone), sector)
    start = pl.col("utc_time").dt.truncate(bucket[1])
    counted = good.group_by(start, "sector").agg(share=pl.len().cast(pl.Float64)).sort("utc_time", "sector")
    share = pl.col("share") / pl.col("share").sum().over("utc_time")
    return counted.with_columns(share, pl.col("utc_time").dt.convert_time_zone("UTC"))


def moving(frame: pl.DataFrame, *, calm: bool = False) -> pl.DataFrame:
    """`utc_time`, `value` of the wind direction while the air moves (with `calm`: while the mean speed is zero)."""
    still = pl.col("mean_wind_speed") == 0 if "mean_wind_speed" in frame.columns else pl.lit(value=False)
    still = still.fill_null(value=False)
    return _good(frame.filter(still if calm else ~still), "wind_direction_deg")


def flagged(frame: pl.DataFrame, name: str, flag: int) -> pl.DataFrame:
    """`utc_time`, `value` of the values of a variable that carry `flag`."""
    column = name + FLAG_SUFFIX
    chosen = frame.filter(pl.col(column) == flag) if column in frame.columns else frame.clear()
    return chosen.select("utc_time", pl.col(name).cast(pl.Float64).alias("value")).drop_nulls()


def on_buckets(points: pl.DataFrame, bars: pl.DataFrame, bucket: tuple[str, str, timedelta]) -> pl.DataFrame:
    """Flagged values as what stands for them in a long span: `utc_time` and `value` of the tops of their `buckets`.

    A bucket in which nothing but flagged values lies has no top; its values stand at zero.
    """
    tops = bars.select(pl.col("utc_time").cast(INSTANT).alias("middle"), "total").sort("middle")
    found = points.sort("utc_time").join_asof(tops, left_on="utc_time", right_on="middle", strategy="nearest")
    inside = ((pl.col("middle") - pl.col("utc_time")).abs() <= bucket[2] / 2).fill_null(value=False)
    time = pl.when(inside).then("middle").otherwise("utc_time")
    value = pl.when(inside).then("total").otherwise(0.0)
    return found.select(time.alias("utc_time"), value.alias("value")).unique(maintain_order=True)


def thinned(points: pl.DataFrame, start: datetime, end: datetime, cells: int = 250) -> pl.DataFrame:
    """`points` with only the lowest and the highest of each of `cells` equal parts of the span."""
    cell = ((pl.col("utc_time") - start) / ((end - start) / cells)).floor().cast(pl.Int64)
    value = pl.col("value")
    extreme = (value == value.min().over(cell)) | (value == value.max().over(cell))
    return points.filter(extreme).group_by(cell.alias("cell"), "value", maintain_order=True).first().sort("utc_time")


def _good(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    column = name + FLAG_SUFFIX
    kept = frame.filter(pl.col(column).is_null() | (pl.col(column) != FAIL)) if column in frame.columns else frame
    return kept.select("utc_time", pl.col(name).cast(pl.Float64).alias("value")).drop_nulls()


def _numbered(breaks: pl.Expr) -> pl.Expr:
    return breaks.fill_null(value=False).cum_sum().cast(pl.Int64).alias("segment")
