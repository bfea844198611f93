"""Texts of a time column -> wall-clock times or instants, whole columns at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from barograph.frame import INSTANT

WALL: Final = pl.Datetime("ms")
FIRST, LAST = datetime(1800, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - bounds of wall clocks and of UTC alike
"""What lies outside is no observation: milliseconds that are read as seconds give the year 50000."""

_ISO_WALL: Final = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M", "%Y-%m-%d",
)  # fmt: skip
_ISO_OFFSET: Final = (
    "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z",
    "%Y%m%dT%H%M%S%#z", "%Y%m%dT%H%M%#z",
)  # fmt: skip
_MARGIN: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Times:
    """`local`: naive wall-clock times (WALL); `utc`: instants, of texts that say their offset. Both null: no time."""

    local: pl.Series
    utc: pl.Series


def parse_times(text: pl.Series, time_format: str) -> Times:
    """The times that a column's texts say, in the form "iso", "epoch_s", "epoch_ms" or a strftime pattern."""
    if time_format in ("epoch_s", "epoch_ms"):
        return Times(_none(text, WALL), _epochs(text, 1000 if time_format == "epoch_s" else 1))
    text = pl.select(pl.lit(text).str.replace_all("\u00a0", " ", literal=True).str.strip_chars()).to_series()
    if time_format != "iso":
        pattern = time_format.replace(".%f", "%.f").replace("%f", "%6f")
        if "%p" in pattern:
            text = text.str.to_uppercase()
        if "%z" in pattern:
            return Times(_none(text, WALL), _parse(text, (pattern.replace("%z", "%#z"),), "UTC"))
        return Times(_parse(text, (pattern,), None), _none(text, INSTANT))
    local = _parse(text, _ISO_WALL, None)
    if local.null_count() == text.null_count():
        return Times(local, _none(text, INSTANT))
    # What is left may say its offset, in one of the ways that people write it.
    rest = pl.when(pl.lit(local).is_null()).then(
        pl.lit(text).str.replace(r"\s*(?:UTC|GMT|[zZ])$", "Z").str.replace(r"\s+([+-]\d\d:?\d*)$", "${1}")
    )
    return Times(local, _parse(pl.select(rest).to_series(), _ISO_OFFSET, "UTC"))


def _none(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    return pl.Series(text.name, [None], dtype=dtype).new_from_index(0, len(text))


def _plausible(times: pl.Series, first: datetime, last: datetime) -> pl.Series:
    inside = times.is_between(first, last)
    return times if inside.all() else pl.select(pl.when(pl.lit(inside)).then(pl.lit(times))).to_series()


def _epochs(text: pl.Series, factor: int) -> pl.Series:
    number = text.cast(pl.Float64, strict=False) * factor
    # Beyond what an Int64 holds, a cast would fail for the whole column.
    number = pl.select(pl.when(pl.lit(number).abs() < 1e15).then(pl.lit(number).round())).to_series()
    return _in_time(number.cast(pl.Int64).cast(INSTANT))


def _in_time(times: pl.Series) -> pl.Series:
    zone = ZoneInfo("UTC") if times.dtype == INSTANT else None
    return _plausible(times, FIRST.replace(tzinfo=zone), LAST.replace(tzinfo=zone))


def _parse(text: pl.Series, formats: Sequence[str], zone: str | None) -> pl.Series:
    """The first of the formats that reads a text; the one that reads the first text is tried first."""
    result = _none(text, INSTANT if zone else WALL)
    left = text.is_not_null()
    if not left.any():
        return result
    sample = text.filter(left).head(1)
    likely = sorted(formats, key=lambda each: _with(sample, each, zone).null_count())
    for each in likely:
        parsed = _with(text, each, zone)
        result = pl.select(pl.coalesce(pl.lit(result), pl.lit(parsed))).to_series()
        if result.null_count() == text.null_count():
            break
    return _in_time(result)


def _with(text: pl.Series, pattern: str, zone: str | None) -> pl.Series:
    return text.str.to_datetime(pattern, time_unit="ms", time_zone=zone, strict=False)


def sure_instants(local: pl.Series, timezone: str) -> pl.Series:
    """Wall-clock times as UTC instants; null where the clock shows a time twice, or never."""
    sure = local.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    return sure.dt.convert_time_zone("UTC").cast(INSTANT)


def fold_days(days: Iterable[date], timezone: str) -> list[date]:
    """The days on which a clock goes back, or within three hours of which it does."""
    return [day for day in days if _goes_back(day, timezone)]


@lru_cache(maxsize=65536)
def _goes_back(day: date, timezone: str) -> bool:
    midnight, zone = datetime.combine(day, time()), ZoneInfo(timezone)
    before = (midnight - _MARGIN).replace(tzinfo=zone)
    after = (midnight + timedelta(days=1) + _MARGIN).replace(tzinfo=zone, fold=1)
    return (after.utcoffset() or timedelta()) < (before.utcoffset() or timedelta())
