"""Workbooks (.xlsx) as rows: bytes in, sheets out. Knows neither where they come from nor what they measure."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias

from barograph.errors import FormatError
from barograph.formats.workbook_archive import check_archive

Cell: TypeAlias = str | int | float | bool | time | date | datetime | None
Plain: TypeAlias = str | int | float | bool | None

_DAY: Final = 86_400_000
"""Milliseconds; a fraction of a day resolves about a microsecond."""

_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCHS: Final = frozenset({date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1904, 1, 1)})
"""Day zero in Excel, its variants, and the day that strptime("%H:%M") invents: a time of day with no date."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its header (the first row that is not empty) and every row below it, blank ones included.

    `rows` pairs the 1-based row number, as Excel shows it, with one cell per header name.
    """

    title: str
    header: tuple[str, ...]
    rows: list[tuple[int, tuple[Cell, ...]]]


def read_workbook(data: bytes, *, name: str, limit_mib: int) -> Iterator[Sheet]:
    """The worksheets of an .xlsx workbook, in their order, hidden ones included, chart sheets left out.

    Empty cells and error values (#N/A, #DIV/0!) are None; text is kept as it is, no-break spaces included; numbers
    are floats; durations are times of day, or text ("24:00:00") where they are none. A sheet without any value has
    an empty header. `name` stands in messages; `limit_mib` bounds the unpacked size.

    Raises FormatError (not a workbook, encrypted, truncated, damaged) and LimitExceeded, before the first sheet for
    everything that the archive itself reveals.
    """
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

    check_archive(data, name=name, limit_mib=limit_mib)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            titles = [sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
            for title in titles:
                yield _sheet(title, book.get_sheet_by_name(title).to_python(skip_empty_area=False))
    except CalamineError as error:
        raise FormatError(f"is a damaged workbook ({error})", where=name, hint="open it, repair it, save it") from error


def _sheet(title: str, raw: Sequence[Sequence[object]]) -> Sheet:
    table = [tuple([_cell(value) for value in row]) for row in raw]
    width = max(map(len, table), default=0)
    while width and all(row[width - 1] is None for row in table):
        width -= 1
    if width < max(map(len, table), default=0):
        table = [row[:width] for row in table]
    blank = (None,) * width
    top = next((index for index, row in enumerate(table) if row != blank), None)
    if top is None:
        return Sheet(title, (), [])
    return Sheet(title, column_names(table[top]), list(enumerate(table[top + 1 :], top + 2)))


def _cell(value: object) -> Cell:
    if isinstance(value, str):
        return value or None
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, int | float | time | date):
        return value
    return None if value is None else str(value)


def _duration(value: timedelta) -> Cell:
    if timedelta(0) <= value < timedelta(days=1):
        return _time_of_day(round(value / _MILLISECOND))
    minutes, seconds = divmod(round(abs(value).total_seconds()), 60)
    return f"{'-' if value < timedelta(0) else ''}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _time_of_day(milliseconds: int) -> time:
    """Milliseconds after midnight as a time; what rounds up to 24:00 stays before it."""
    seconds, rest = divmod(min(milliseconds, _DAY - 1), 1000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, rest * 1000)


def column_names(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Unique column names from a header row, by pandas' conventions: "Unnamed: 5" (0-based) and "Wind.1"."""
    names = [f"Unnamed: {index}" if cell is None else _name(cell) for index, cell in enumerate(cells)]
    taken, result = set(names), list[str]()
    seen: set[str] = set()
    for name in names:
        unique, number = name, 0
        while unique in seen or (number and unique in taken):
            number += 1
            unique = f"{name}.{number}"
        seen.add(unique)
        result.append(unique)
    return tuple(result)


def _name(cell: Cell) -> str:
    value = plain_value(cell)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def plain_value(cell: Cell) -> Plain:
    """A cell as JSON can hold it: "2024-10-01", "2024-10-01 00:04:00", "00:04:00"; everything else as it is."""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date | time) else cell


def format_time(cell: Cell) -> str | None:
    """A cell of a time column as text, "00:04:00": the way Airbyte's stock connector prints one.

    A datetime on one of Excel's zero days and a number in [0, 1), a fraction of a day, are times of day. Everything
    else keeps what it says: a datetime prints with its date, text is not touched.
    """
    if isinstance(cell, datetime) and cell.date() in _EPOCHS:
        return cell.time().isoformat()
    if isinstance(cell, date) and cell in _EPOCHS:
        return "00:00:00"
    if isinstance(cell, int | float) and not isinstance(cell, bool) and 0 <= cell < 1:
        # A fraction of a day is never exact: 00:04 is 0.002777…, 240.00000000000003 s.
        return _time_of_day(round(cell * _DAY)).isoformat()
    value = plain_value(cell)
    return None if value is None else str(value)


_DAY_FIRST: Final = re.compile(r"([0-9]{1,2})([-/._ \u00a0])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_YEAR_FIRST: Final = re.compile(r"([0-9]{4})([-/._ \u00a0])([0-9]{1,2})\2([0-9]{1,2})")
_DIGITS: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{4}|[0-9]{2})")


def sheet_date(title: str) -> date | None:
    """The day that a sheet's title names, None where it names none.

    DDMMYY ("011024" is 1 October 2024) and DDMMYYYY, the same with - / . _ or a blank between, YYYY-MM-DD with any of
    these, and YYYYMMDD. The day stands before the month, always: "102524" is no date. Years are 1900 to 2099, two
    digits mean 20YY. Eight digits are never both: the last four of a YYYYMMDD are at most 1231, no year of ours.
    """
    text = title.strip()
    if match := _DIGITS.fullmatch(text):
        day, month, year = match.groups()
        return _date(year, month, day) or (_date(text[:4], text[4:6], text[6:]) if len(text) == 8 else None)
    if match := _DAY_FIRST.fullmatch(text):
        return _date(match[4], match[3], match[1])
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(match[1], match[3], match[4])
    return None


def _date(year: str, month: str, day: str) -> date | None:
    number = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return date(number, int(month), int(day)) if 1900 <= number <= 2099 else None
    except ValueError:
        return None
