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


DISORDER: Final = timedelta(hours=2)
"""A step back of no more than this is taken for rows out of order: as a new day it would hide a gap of 22 hours."""


class UnclearDays(Exception):
    """The days of a table without dates cannot be told; the text says why, `row` where."""

    def __init__(self, reason: str, row: int) -> None:
        super().__init__(reason)
        self.row = row


class DayInference:
    """Local days for a table without dates (what a connector that drops the sheets' titles leaves).

    A time that runs backwards marks a new day, and so does a row without any value before one that does. On the night
    when the clock goes back, the repeated hour is no new day. What can be read in two ways raises UnclearDays: a small
    step back, a time that runs on behind an empty row, more empty rows than the table begins with.
    """

    def __init__(self, first_day: date | None, timezone: str) -> None:
        self._day = first_day
        self._zone = ZoneInfo(timezone)
        self._last: time | None = None
        self._usual = 1
        self._empty = 0

    def infer(self, clock: pl.Series, blank: pl.Series) -> pl.Series:
        """A day for each row, null for an empty one. Raises UnclearDays."""
        times = _clock(clock.to_frame("Time")).to_list()
        days: list[date | None] = []
        for row, (moment, empty) in enumerate(zip(times, blank.to_list(), strict=True)):
            if empty:
                self._empty += 1
                days.append(None)
                continue
            if moment is not None:
                if self._day is not None and self._is_new_day(moment, row):
                    self._day += timedelta(days=1)
                self._last, self._empty = moment, 0
            days.append(self._day)
        return pl.Series("_day", days, dtype=pl.Date)

    def _is_new_day(self, moment: time, row: int) -> bool:
        """Whether the time of day of a row belongs to the day after the one before it."""
        last, empty = self._last, self._empty
        if last is None:
            self._usual = max(1, empty)
            return False
        if empty > self._usual:
            rows = f"{empty} empty rows, where there is {self._usual} before the first"
            raise UnclearDays(f"{rows}: a day without reports, or empty rows at the end of a day?", row)
        if moment >= last:
            if not empty:
                return False
            raise UnclearDays(f"the time goes on from {last} to {moment} behind an empty row: is it a new day?", row)
        if self._repeated(moment) and self._repeated(last):
            return False
        if not empty and _apart(moment, last) <= DISORDER:
            raise UnclearDays(f"the time goes back from {last} to {moment}: a new day, or rows out of order?", row)
        return True

    def _repeated(self, moment: time) -> bool:
        local = datetime.combine(self._day or date.min, moment, self._zone)
        return local.utcoffset() != local.replace(fold=1).utcoffset()


def _apart(early: time, late: time) -> timedelta:
    return datetime.combine(date.min, late) - datetime.combine(date.min, early)
