"""A workbook dropped by hand into the landing zone, as raw batches: what our own sync would have landed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from barograph.decode.base import DecodeContext
from barograph.decode.envelope import RawBatch
from barograph.errors import FormatError
from barograph.formats.workbook import format_time, plain_value, read_workbook, sheet_date
from barograph.frame import INSTANT
from barograph.model import LandedObject


def read_sheets(item: LandedObject, chunks: Iterable[bytes], context: DecodeContext) -> Iterator[RawBatch]:
    """One batch per sheet: text columns, `Date` from the title, `Sheet`, and the sheet's row number as `_line`."""
    data = b"".join(chunks)
    empty = True
    for sheet in read_workbook(data, name=item.key, limit_mib=context.unpacked_mib):
        empty = empty and not sheet.header
        columns: dict[str, list[str | None]] = {
            name: [_as_text(name, cells[place] if place < len(cells) else None) for _, cells in sheet.rows]
            for place, name in enumerate(sheet.header)
        }
        numbers = [number for number, _ in sheet.rows]
        if "Date" not in columns and "DateTime" not in columns and (day := sheet_date(sheet.title)) is not None:
            columns["Date"] = [day.isoformat()] * len(numbers)
        columns["Sheet"] = [sheet.title] * len(numbers)
        columns["Row"] = [str(number) for number in numbers]
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))
        yield RawBatch(
            frame.with_columns(
                pl.Series("_line", numbers, dtype=pl.Int32),
                pl.lit(item.extracted_at, dtype=INSTANT).alias("_extracted_at"),
            )
        )
    if empty:
        raise FormatError(
            "is a workbook without any table", where=item.key, hint="one sheet per local day, titled DDMMYY"
        )


def _as_text(name: str, cell: Any) -> str | None:
    if cell is None:
        return None
    if name == "Time":
        return format_time(cell)
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(plain_value(cell))
