"""Workbooks made for tests, as bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import xlsxwriter  # type: ignore[import-untyped]

HEADER: Final = ("Time", "Temperature", "Wind", "UV")
ROW: Final = (time(0, 4), "56.8\u00a0°F", None, 0.0)


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]], **options: Any) -> bytes:
    """An .xlsx with these sheets; rows start at A1, None leaves a cell out, tuples are (value, number format)."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, **options})
    formats = {
        kind: book.add_format({"num_format": code})
        for kind, code in {
            time: "hh:mm:ss",
            datetime: "yyyy-mm-dd hh:mm:ss",
            date: "yyyy-mm-dd",
            timedelta: "[h]:mm:ss",
        }.items()
    }
    for title, rows in sheets.items():
        sheet = book.add_worksheet(title)
        for index, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, tuple):
                    sheet.write_number(index, column, value[0], book.add_format({"num_format": value[1]}))
                elif type(value) in formats:
                    sheet.write_datetime(index, column, value, formats[type(value)])
                elif value == '=""':
                    sheet.write_formula(index, column, value, None, "")
                elif value is not None:
                    sheet.write(index, column, value)
    book.close()
    return stream.getvalue()


def day_table(rows: Sequence[Sequence[Any]] = (ROW,), header: Sequence[Any] = HEADER) -> list[Sequence[Any]]:
    """A sheet as Weather Underground tables have it: header, a blank row, reports."""
    return [header, [], *rows]


def rewritten(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The same archive with each member's content passed through `change(name, content)`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return stream.getvalue()
