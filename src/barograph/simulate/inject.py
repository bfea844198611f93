"""Putting faults into a station's data: into the raw frame (sensor, clock, value) or into the finished sheets (form).

What is put into the raw frame reaches the truth by itself; what breaks the form says which reports cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Final

import polars as pl

from barograph.simulate.exports import NBSP, Sheet
from barograph.simulate.faults import FAULTS, Placed
from barograph.simulate.truth import Fault

_KEPT: Final = "every value as written"
_STUCK_FROM, _STUCK_HOURS = 10, 6
_CLOCK_HOURS: Final = 2
_RENAMED: Final = "Windstoot"
_SPIKE_C: Final = 6.0
_BELOW: Final = ("blank-rows", "duplicate", "conflict")
"""Faults that stand in the row below the one that they belong to."""
_DROPPED: Final = {"missing-column": ("Dew Point", "dew_point"), "renamed-column": ("Gust", "wind_gust")}


@dataclass(slots=True)
class Lost:
    """What the form's faults take from a station's truth: whole reports, and single variables of reports."""

    reports: set[datetime] = field(default_factory=set)
    values: dict[str, set[datetime]] = field(default_factory=dict)


def into_frame(frame: pl.DataFrame, placed: Placed, file: str) -> tuple[pl.DataFrame, Fault] | None:
    """The raw frame with a fault of the values, and its description; None if the fault is one of the form."""
    inject = _VALUES.get(placed.name)
    return None if inject is None else inject(frame, placed, Fault(placed.name, file, placed.site.station_id, "", ""))


def _spike(frame: pl.DataFrame, placed: Placed, fault: Fault) -> tuple[pl.DataFrame, Fault]:
    instant, shown = _row(frame, placed)
    step = round(_SPIKE_C * (18 if placed.site.kind == "personal" else 10))
    here = pl.col("utc_time") == instant
    raised = frame.with_columns(temperature=pl.when(here).then(pl.col("temperature") + step).otherwise("temperature"))
    done = f"temperature raised by {_SPIKE_C:g} °C at {shown}"
    return raised, replace(fault, done=done, record=_KEPT, column="temperature", utc_time=instant, until=instant)


def _absurd(variable: str, value: int, shown_value: str) -> Callable[..., tuple[pl.DataFrame, Fault]]:
    def inject(frame: pl.DataFrame, placed: Placed, fault: Fault) -> tuple[pl.DataFrame, Fault]:
        instant, shown = _row(frame, placed)
        here = pl.col("utc_time") == instant
        changed = frame.with_columns(pl.when(here).then(value).otherwise(variable).cast(pl.Int64).alias(variable))
        return changed, replace(
            fault,
            done=f"{variable} set to {shown_value} at {shown}",
            record=f"the value as written, {variable} flagged 4",
            column=variable,
            value=shown_value,
            utc_time=instant,
            until=instant,
            flags={variable: 4},
        )

    return inject


def _stuck(frame: pl.DataFrame, placed: Placed, fault: Fault) -> tuple[pl.DataFrame, Fault]:
    begin = datetime.combine(placed.day, time(_STUCK_FROM))
    within = pl.col("clock").is_between(begin, begin + timedelta(hours=_STUCK_HOURS), closed="left")
    held = frame.filter(within)["temperature"].item(0)
    stuck = frame.with_columns(temperature=pl.when(within).then(held).otherwise("temperature")).with_columns(
        # The console computes the dew point from the same thermometer: it cannot be above it.
        dew_point=pl.when(within).then(pl.min_horizontal("dew_point", "temperature")).otherwise("dew_point")
    )
    done = f"temperature held from {begin:%Y-%m-%d %H:%M} for {_STUCK_HOURS} hours of the export's clock"
    first, last = _ends(stuck.filter(within))
    return stuck, replace(fault, done=done, record=_KEPT, column="temperature", utc_time=first, until=last)


def _clock(frame: pl.DataFrame, placed: Placed, fault: Fault) -> tuple[pl.DataFrame, Fault]:
    today, ahead = pl.col("day") == placed.day, pl.duration(hours=_CLOCK_HOURS)
    late = pl.col("clock").dt.hour() >= 24 - _CLOCK_HOURS
    moved = frame.filter(~(today & late)).with_columns(
        pl.when(today).then(pl.col(name) + ahead).otherwise(pl.col(name)).alias(name) for name in ("utc_time", "clock")
    )
    first, last = _ends(moved.filter(today))
    done = f"the clock runs {_CLOCK_HOURS} hours fast on {placed.day}: what happened at 00:00 is reported at 02:00"
    record = "every value at the time as written; nothing for the first two hours of that day"
    return moved, replace(fault, done=done, record=record, utc_time=first, until=last)


def _gap(frame: pl.DataFrame, placed: Placed, fault: Fault) -> tuple[pl.DataFrame, Fault]:
    today = pl.col("day") == placed.day
    first, last = _ends(frame.filter(today))
    done = f"no reports on {placed.day} of the export's clock"
    return frame.filter(~today), replace(fault, done=done, record="no reports on that day", utc_time=first, until=last)


def _pressure(frame: pl.DataFrame, placed: Placed, fault: Fault) -> tuple[pl.DataFrame, Fault]:
    step, shown = (15, "0.15 inHg (5.08 hPa)") if placed.site.kind == "personal" else (50, "5 hPa")
    first, last = _ends(frame)
    raised = frame.with_columns(pressure=pl.col("pressure") + step)
    done = f"pressure raised by {shown} throughout"
    return raised, replace(fault, done=done, record=_KEPT, column="pressure", utc_time=first, until=last)


_VALUES: Final[dict[str, Callable[[pl.DataFrame, Placed, Fault], tuple[pl.DataFrame, Fault]]]] = {
    "spike": _spike,
    "impossible": _absurd("temperature", 9999, "999.9 °F"),
    "humidity": _absurd("humidity", 140, "140 %"),
    "stuck": _stuck,
    "clock": _clock,
    "gap": _gap,
    "pressure-offset": _pressure,
}


def _row(frame: pl.DataFrame, placed: Placed) -> tuple[datetime, str]:
    """The instant of the row a placed fault means, and how the export shows it."""
    day = frame.filter(pl.col("day") == placed.day)
    index = int(placed.share * day.height)
    return day["utc_time"].item(index), f"{day['clock'].item(index):%Y-%m-%d %H:%M}"


def _ends(frame: pl.DataFrame) -> tuple[datetime, datetime]:
    return frame["utc_time"].item(0), frame["utc_time"].item(-1)


def into_sheets(sheets: list[Sheet], placed: Placed, fault: Fault, lost: Lost, *, per_file: bool) -> Fault:
    """Break the form of a table in place; what cannot be read any more is added to `lost`. See `located` for rows."""
    today = next(sheet for sheet in sheets if sheet.day == placed.day)
    if placed.name in _DROPPED:
        return _header(sheets if per_file else [today], placed, fault, lost)
    if placed.name == "sheet-title":
        return _title(today, placed, fault, lost)
    return _cells(today, placed, fault, lost)


def _header(sheets: list[Sheet], placed: Placed, fault: Fault, lost: Lost) -> Fault:
    column, variable = _DROPPED[placed.name]
    instants = [instant for sheet in sheets for instant in sheet.utc if instant is not None]
    lost.values.setdefault(variable, set()).update(instants)
    for sheet in sheets:
        index = sheet.header.index(column)
        if placed.name == "renamed-column":
            sheet.header[index] = _RENAMED
        else:
            del sheet.header[index]
            sheet.rows = [[*row[:index], *row[index + 1 :]] for row in sheet.rows]
    done = f"column {column} " + ("left out" if placed.name == "missing-column" else f"renamed to {_RENAMED}")
    record = f"{variable} null in these rows, everything else as written"
    return replace(fault, done=done, record=record, column=column, utc_time=min(instants), until=max(instants))


def _title(sheet: Sheet, placed: Placed, fault: Fault, lost: Lost) -> Fault:
    instants = [instant for instant in sheet.utc if instant is not None]
    lost.reports.update(instants)
    done = f"sheet {sheet.title} renamed to Feuil{placed.number}"
    sheet.title = f"Feuil{placed.number}"
    return replace(
        fault,
        done=done,
        record="none of its reports: their date is unknown",
        value=sheet.title,
        utc_time=min(instants),
        until=max(instants),
        rejected=len(instants),
    )


def _cells(sheet: Sheet, placed: Placed, fault: Fault, lost: Lost) -> Fault:
    """A fault of single rows. The row meant is the one at the placed share of the day's untouched rows."""
    instants = list(dict.fromkeys(instant for instant in sheet.utc if instant is not None))
    instant = instants[int(placed.share * len(instants))]
    at = sheet.utc.index(instant)
    row = list(sheet.rows[at])
    temperature = sheet.header.index("Temperature")
    text = str(row[temperature])
    fault = replace(fault, utc_time=instant, until=instant)
    if placed.name == "blank-rows":
        for _ in range(3):
            sheet.insert(at + 1, [None] * len(row), None)
        return replace(fault, done="three empty rows inserted", record="all reports, unchanged")
    if placed.name == "duplicate":
        sheet.insert(at + 1, row, instant)
        return replace(fault, done="the row repeated, cell for cell", record="the report once", duplicates=1)
    if placed.name == "conflict":
        row[temperature] = other = _warmer(text)
        sheet.insert(at + 1, row, instant)
        done, record = f"a second row of the same time says {other}", f"the first row ({text}); the second is refused"
        return replace(fault, done=done, record=record, column="Temperature", value=other, rejected=1)
    column, value = ("Time", "25:61") if placed.name == "time" else ("Temperature", "?" + text[1:])
    row[sheet.header.index(column)] = value
    sheet.rows[at] = row
    lost.reports.add(instant)
    return replace(
        fault, done=f"{column} written as {value}", record="not this report", column=column, value=value, rejected=1
    )


def _warmer(text: str) -> str:
    """The same text with 3.7 °F more."""
    number, space, unit = text.partition(NBSP)
    return f"{float(number) + 3.7:.1f}{space}{unit}"


def located(fault: Fault, sheets: list[Sheet], *, workbook: bool) -> Fault:
    """The fault with its sheet and row, once all faults are in the sheets."""
    before = 1
    for sheet in sheets:
        if fault.utc_time in sheet.utc:
            title = sheet.title if workbook and fault.until in sheet.utc else None
            if FAULTS[fault.name].scope != "row":
                return replace(fault, sheet=title)
            index = sheet.utc.index(fault.utc_time) + (fault.name in _BELOW)
            # In a workbook row 1 is the header and row 2 is empty; in a CSV line 1 is the header.
            return replace(fault, sheet=title, row=index + 3 if workbook else before + index + 1)
        before += len(sheet.rows)
    return fault
