"""The local day and the wall-clock time of table rows: from their columns, or inferred from a first day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

_TIME_FORMATS: Final = ("%H:%M", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
_DATETIME_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")


def _text(name: str) -> pl.Expr:
    return pl.col(name).str.replace_all("\u00a0", " ", literal=True).str.strip_chars()


def local_days(frame: pl.DataFrame) -> pl.Series:
    """Each row's local day (pl.Date) from `DateTime`, else `Date`; null where neither says it."""
    options = []
    if "DateTime" in frame.columns:
        options.append(pl.col("DateTime").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False))
    if "Date" in frame.columns:
        # "2024-10-01 00:00:00" is how pandas prints a date cell.
        options.append(pl.col("Date").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False))
    if not options:
        return pl.Series("_day", [None] * frame.height, dtype=pl.Date)
    return frame.select(pl.coalesce(options).alias("_day")).to_series()


def _clock(frame: pl.DataFrame) -> pl.Series:
    """Each row's time of day from `Time`; null where it is none."""
    quick = frame.get_column("Time").str.to_time("%H:%M:%S", strict=False)
    if quick.null_count() == 0:
        return quick
    return frame.select(
        pl.coalesce(
            quick,
            *(_text("Time").str.to_uppercase().str.to_time(form, strict=False) for form in _TIME_FORMATS),
        ).alias("Time")
    ).to_series()


Refusal = tuple[int, str, str, str | None]
"""Row index, column, reason, raw value."""


def local_times(frame: pl.DataFrame) -> tuple[pl.Series, list[Refusal]]:
    """Each row's naive wall-clock time (Datetime), and the rows that have none.

    `Time` with the row's `_day`, or `DateTime` where `Time` is empty; a row in which both stand and differ is refused.
    """
    day = frame.get_column("_day")
    clock = _clock(frame)
    local = pl.select(pl.lit(day).dt.combine(pl.lit(clock), time_unit="ms")).to_series()
    refusals: list[Refusal] = []
    if "DateTime" in frame.columns:
        whole = frame.select(
            pl.coalesce(
                _text("DateTime").str.to_datetime(form, time_unit="ms", strict=False) for form in _DATETIME_FORMATS
            )
        ).to_series()
        differ = (whole.is_not_null() & local.is_not_null() & (whole != local)).arg_true().to_list()
        refusals += [
            (row, "DateTime", f"differs from Time {frame.item(row, 'Time')!r}", frame.item(row, "DateTime"))
            for row in differ
        ]
        empty_time = frame.select(pl.col("Time").is_null() | (pl.col("Time") == "")).to_series()
        local = pl.select(
            pl.when(pl.lit(local).is_null() & pl.lit(empty_time)).then(pl.lit(whole)).otherwise(pl.lit(local))
        ).to_series()
    known = {row for row, *_ in refusals}
    for row in local.is_null().arg_true().to_list():
        if row not in known:
            refusals.append(_why(frame, day, row))
    return local.alias("local"), refusals


def _why(frame: pl.DataFrame, day: pl.Series, row: int) -> Refusal:
    text = frame.item(row, "Time")
    if day[row] is None:
        raw = next((frame.item(row, name) for name in ("DateTime", "Date") if name in frame.columns), None)
        sheet = frame.item(row, "Sheet")
        if raw is None and sheet is not None:
            return (row, "Date", "the sheet's title is not a date (DDMMYY)", sheet)
        return (row, "Date", "not a date (YYYY-MM-DD)" if raw else "the row carries no date", raw)
    return (row, "Time", "not a time of day" if text else "the row carries no time", text)


class DayInference:
    """Local days for a table without dates (what a connector that drops the sheets' titles leaves).

    A row without any value, and a time that runs backwards, each mark a new day. On the night when the clock goes back,
    the repeated hour is no new day.
    """

    def __init__(self, first_day: date | None, timezone: str) -> None:
        self._day = first_day
        self._zone = ZoneInfo(timezone)
        self._last: time | None = None
        self._separated = False
        self._noted = False

    def infer(self, clock: pl.Series, blank: pl.Series) -> tuple[pl.Series, bool]:
        """A day for each row; the flag is True the first time that days were inferred."""
        frame = clock.to_frame("Time")
        times = _clock(frame).to_list()
        days: list[date | None] = []
        for moment, empty in zip(times, blank.to_list(), strict=True):
            if empty:
                self._separated = self._last is not None
                days.append(None)
                continue
            if moment is not None:
                if self._last is not None and self._day is not None and (self._separated or self._new_day(moment)):
                    self._day += timedelta(days=1)
                self._last, self._separated = moment, False
            days.append(self._day)
        first, self._noted = not self._noted, True
        return pl.Series("_day", days, dtype=pl.Date), first

    def _new_day(self, moment: time) -> bool:
        if self._last is None or self._day is None or moment >= self._last:
            return False
        return not (self._repeated(moment) and self._repeated(self._last))

    def _repeated(self, moment: time) -> bool:
        local = datetime.combine(self._day or date.min, moment, self._zone)
        return local.utcoffset() != local.replace(fold=1).utcoffset()
