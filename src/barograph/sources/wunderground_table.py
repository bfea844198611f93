"""Weather Underground history tables: a workbook with one sheet per local day, or one table saved as CSV.

Records are those of Airbyte's file connector, name for name and value for value, and at their end what it loses: the
sheet's day as `Date`, its title as `Sheet`, and `Row`, the row number that Excel shows (in CSV the line).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from barograph.config import Connection
from barograph.errors import FormatError, SourceRefused
from barograph.formats.workbook import Cell, Plain, Sheet, format_time, plain_value, read_workbook, sheet_date
from barograph.formats.workbook_archive import seems
from barograph.formats.workbook_csv import TextRow, read_table
from barograph.messages import Log, Message, Record
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.fetch import fetch
from barograph.sources.fetched import Fetched
from barograph.sources.masking import quote

DAY_COLUMNS: Final = frozenset({"Date", "DateTime"})
"""A table that has one of these says its days itself."""

_WORKBOOKS: Final = ("a zip archive", "an encrypted workbook", "an old .xls workbook")
_WORKBOOK_SUFFIXES: Final = (".xlsx", ".xlsm", ".xls")
_THREE_WAYS: Final = (
    'add a column Date ("2024-10-01"), or a column DateTime ("2024-10-01 00:04:00", local), or set first_day in the '
    "connection to the local day of the first row"
)


class WundergroundTable:
    """A workbook or CSV file of one personal station."""

    spans: ClassVar[bool] = False

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection = connection
        self._limits = access.limits

    def read(self, request: ReadRequest) -> Messages:  # noqa: ARG002 - read whole, always
        """A record per row, rows without values included; a log where a sheet says nothing or names no day.

        A workbook is held whole, one sheet of it unpacked at a time; CSV is streamed.

        Raises SourceRefused where there is no table or no way to tell its days, FormatError and LimitExceeded where
        the file is damaged or beyond `[limits]`, SourceUnavailable where it cannot be had now.
        """
        url = self._connection.reveal(self._connection.url)
        with fetch(url, self._limits) as fetched:
            if not fetched.size:
                raise SourceRefused("is empty (0 bytes)", where=fetched.name, hint="export it again")
            start = fetched.read(4096)
            kind = seems(start)
            if "HTML" in kind:
                raise SourceRefused(
                    f"is {kind}, not a table: {quote(start, url)}",
                    where=fetched.name,
                    hint="open the connection's url in a browser; it may want a login",
                )
            path = urlsplit(fetched.name).path if "://" in fetched.name else fetched.name
            suffix = PurePath(path).suffix.lower()
            if kind in _WORKBOOKS or suffix in _WORKBOOK_SUFFIXES:
                yield from self._workbook(fetched)
            elif kind in ("JSON", "gzip", "a PDF"):
                raise FormatError(
                    f"is neither a workbook nor CSV but {kind}",
                    where=fetched.name,
                    hint="export the table as .xlsx or CSV",
                )
            else:
                yield from self._csv(fetched)

    def _workbook(self, fetched: Fetched) -> Iterator[Message]:
        sheets = read_workbook(fetched.read(), name=fetched.name, limit_mib=self._limits.unpacked_mib)
        dated = filled = False
        held: list[Sheet] = []
        for sheet in sheets:
            if not sheet.header:
                yield Log("info", f"{fetched.name}: sheet {sheet.title!r} is empty")
                continue
            filled = True
            if sheet_date(sheet.title) is not None or DAY_COLUMNS.intersection(sheet.header):
                dated = True
            elif not dated:
                # Whether a sheet without a day is a stray or the rule shows only with the first one that has a day.
                held.append(sheet)
                continue
            for each in (*held, sheet):
                yield from _sheet_messages(each, fetched.name)
            held.clear()
        if not filled:
            raise SourceRefused("is a workbook without any value", where=fetched.name, hint="export it again")
        if held:
            titles = ", ".join(repr(sheet.title) for sheet in held[:3])
            yield self._inferred(fetched.name, f"no sheet names its day (titles are {titles})")
            for sheet in held:
                yield from _records(sheet, None)

    def _csv(self, fetched: Fetched) -> Iterator[Message]:
        table = read_table(fetched.file, name=fetched.name)
        if not DAY_COLUMNS.intersection(table.header):
            yield self._inferred(fetched.name, f"no column names the day (columns are {', '.join(table.header[:12])})")
        keys = _keys(table.header, ("Row",))
        odd: dict[str, list[int]] = {}
        for row in table.rows:
            if (problem := _oddity(row, len(keys))) is not None:
                odd.setdefault(problem, []).append(row.line)
            yield Record(_text_record(row, keys))
        for problem, lines in odd.items():
            others = f" and {len(lines) - 1:,} more" if len(lines) > 1 else ""
            yield Log("warning", f"{fetched.name}: line {lines[0]:,}{others} {problem}")

    def _inferred(self, name: str, why: str) -> Log:
        first_day = self._connection.first_day
        if first_day is None:
            raise SourceRefused(f"cannot tell the days of its rows: {why}", where=name, hint=_THREE_WAYS)
        return Log("info", f"{name}: {why}; days are to be inferred from first_day {first_day.isoformat()}")


def _sheet_messages(sheet: Sheet, name: str) -> Iterator[Message]:
    """The records of one sheet of a workbook whose days are known."""
    day = None if DAY_COLUMNS.intersection(sheet.header) else sheet_date(sheet.title)
    if day is None and not DAY_COLUMNS.intersection(sheet.header):
        yield Log(
            "warning",
            f"{name}: sheet {sheet.title!r} names no day, so its {len(sheet.rows):,} rows carry no Date and will be "
            "rejected — name it DDMMYY (011024 is 1 October 2024) or add a Date column",
        )
    yield from _records(sheet, day)


def _records(sheet: Sheet, day: date | None) -> Iterator[Record]:
    keys = _keys(sheet.header, ("Sheet", "Row"))
    known: dict[str, Any] = {"Sheet": sheet.title} if day is None else {"Date": day.isoformat(), "Sheet": sheet.title}
    for row, cells in sheet.rows:
        data = {key: _value(key, cell) for key, cell in zip(keys, cells, strict=True) if cell is not None}
        yield Record({**data, **known, "Row": row})


def _value(key: str, cell: Cell) -> Plain:
    if key == "Time":
        return format_time(cell)
    if key == "DateTime" and isinstance(cell, date) and not isinstance(cell, datetime):
        # Midnight: a workbook's instant without a time of day is read as a date.
        return f"{cell.isoformat()} 00:00:00"
    return plain_value(cell)


def _keys(header: Sequence[str], ours: tuple[str, ...]) -> tuple[str, ...]:
    """The header with our own names kept free; a column of that name becomes "Row.1", as pandas would call it."""
    return tuple([f"{name}.1" if name in ours else name for name in header])


def _oddity(row: TextRow, width: int) -> str | None:
    if row.problem is not None:
        return row.problem
    if len(row.cells) > width:
        return "has more cells than the header"
    return "has fewer cells than the header" if len(row.cells) < width and any(row.cells) else None


def _text_record(row: TextRow, keys: tuple[str, ...]) -> dict[str, Any]:
    """A line that cannot be split stands whole in its first column, where the decoder rejects it with its text."""
    names = (*keys, *[f"Unnamed: {index}" for index in range(len(keys), len(row.cells))])
    data: dict[str, Any] = {key: cell for key, cell in zip(names, row.cells, strict=False) if cell is not None}
    return {**data, "Row": row.line}
