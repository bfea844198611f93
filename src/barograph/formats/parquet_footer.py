"""Weighing a Parquet file before it is read: its footer and the header of every page.

A Parquet reader allocates what the page headers promise, so they are held against the footer and the limits first.
Where pages carry a checksum, it is checked.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import IO, Any, Final

from barograph.errors import FormatError, LimitExceeded
from barograph.formats.thrift import Reader, ThriftError

MAGIC: Final = b"PAR1"
FOOTER_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 32
MAX_COLUMNS: Final = 10_000
ROWS_PER_BYTE: Final = 64
"""Rows that a byte may stand for. A table of Airbyte's has an id in each; a run of nulls costs next to nothing."""

_MIB: Final = 1024 * 1024
_FREE_ROWS: Final = 1_000_000
_HEADER_BYTES: Final = 1024 * 1024
_COMPLETE: Final = "its upload did not finish; sync again"


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that are packed together, and the bytes of all their pages when unpacked."""

    rows: int
    unpacked: int


def weigh_parquet(file: IO[bytes], *, where: str, limit_mib: int) -> list[RowGroup]:
    """The row groups of a whole Parquet file; `limit_mib` bounds each when unpacked.

    Raises FormatError (no Parquet, cut short, damaged, encrypted) and LimitExceeded.
    """
    return _Weigher(file, where, limit_mib).groups()


class _Weigher:
    def __init__(self, file: IO[bytes], where: str, limit_mib: int) -> None:
        self._file, self._where, self._limit = file, where, limit_mib * _MIB
        self._size = file.seek(0, 2)

    def groups(self) -> list[RowGroup]:
        try:
            footer = self._footer()
            _check_schema(footer[2])
            found = [self._group(group, number) for number, group in enumerate(footer.get(4, []), 1)]
            if footer[3] != sum(group.rows for group in found):
                raise self._damaged(f"its footer says {footer[3]:,} rows, its row groups hold other than that")
        except (LookupError, TypeError, AttributeError) as error:
            raise self._damaged(f"its footer lacks a part ({type(error).__name__}: {error})") from error
        except ValueError as error:
            raise self._damaged(f"its footer cannot be read ({error})") from error
        return found

    def _footer(self) -> dict[int, Any]:
        head, tail = self._read(0, 4), self._read(max(self._size - 8, 0), 8)
        if tail[4:] == b"PARE" or head == b"PARE":
            raise FormatError("is an encrypted Parquet file", where=self._where, hint="land it without encryption")
        if head != MAGIC:
            raise FormatError("is not a Parquet file", where=self._where)
        length = int.from_bytes(tail[:4], "little")
        if self._size < 12 or tail[4:] != MAGIC or length > self._size - 12:
            raise FormatError(
                f"is a Parquet file cut short: it has no footer at its end, byte {self._size:,}",
                where=self._where,
                hint=_COMPLETE,
            )
        if length > FOOTER_BYTES:
            raise LimitExceeded(f"has a footer beyond {FOOTER_BYTES // _MIB} MiB", where=self._where)
        return Reader(self._read(self._size - 8 - length, length)).structure()

    def _group(self, group: dict[int, Any], number: int) -> RowGroup:
        rows, unpacked = group[3], 0
        for chunk in group[1]:
            column = chunk[3]
            name = b".".join(column[3]).decode("utf-8", "backslashreplace")[:80]
            place = f"row group {number}, column {name!r}"
            values, size = self._pages(column, place)
            if values != column[5] or (len(column[3]) == 1 and values < rows):
                raise self._damaged(f"{place}: its pages hold {values:,} values of {max(column[5], rows):,}")
            unpacked += size
            if unpacked > self._limit:
                raise LimitExceeded(
                    f"has a row group ({number}) of more than {self._limit // _MIB} MiB when unpacked",
                    where=self._where,
                    hint="raise [limits] unpacked_mib if it is genuine",
                )
            if values > max(_FREE_ROWS, ROWS_PER_BYTE * size):
                raise LimitExceeded(
                    f"{place} says {values:,} values in {size:,} bytes", where=self._where, hint="do not trust it"
                )
        if rows < 0 or (rows and not group[1]):
            raise self._damaged(f"row group {number} says {rows:,} rows")
        return RowGroup(rows, unpacked)

    def _pages(self, column: dict[int, Any], place: str) -> tuple[int, int]:
        """The values and the unpacked bytes that the page headers of a column chunk tell."""
        at = min((offset for key in (9, 11) if (offset := column.get(key))), default=0)
        end = at + column[7]
        if at < 4 or column[7] < 0 or end > self._size - 8:
            raise self._damaged(f"{place}: it does not stand inside the file")
        values = unpacked = 0
        while at < end and values < column[5]:
            page, start = self._page(at, end, place)
            size = page[3]
            if page[2] > self._limit:
                return column[5], page[2]
            if 4 in page and zlib.crc32(self._read(start, size)) != page[4] & 0xFFFFFFFF:
                raise self._damaged(f"{place}: the checksum of the page at byte {at:,} is wrong")
            body = page.get(5) or page.get(8)
            if body is not None:
                if body[1] < 0:
                    raise self._damaged(f"{place}: the page at byte {at:,} says {body[1]:,} values")
                values += body[1]
            elif 7 in page and not 0 <= page[7][1] <= max(page[2], 1):
                raise self._damaged(f"{place}: the dictionary at byte {at:,} says {page[7][1]:,} values")
            unpacked += page[2]
            at = start + size
        return values, unpacked

    def _page(self, at: int, end: int, place: str) -> tuple[dict[int, Any], int]:
        """The page header at a byte, and where it ends."""
        # A header is short, unless it carries statistics of long texts.
        problem: ThriftError | None = None
        for window in (256, _HEADER_BYTES):
            reader = Reader(self._read(at, min(window, end - at)))
            try:
                page = reader.structure()
            except ThriftError as error:
                problem = error
                continue
            start = at + reader.at
            if page[2] < 0 or not 0 <= page[3] <= end - start:
                raise self._damaged(f"{place}: the page at byte {at:,} says {page[3]:,} bytes")
            return page, start
        raise self._damaged(f"{place}: the page at byte {at:,} has no header ({problem})") from problem

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)

    def _damaged(self, why: str) -> FormatError:
        return FormatError(f"is a damaged Parquet file: {why}", where=self._where, hint="sync again, or remove it")


def _check_schema(elements: list[dict[int, Any]]) -> None:
    """Refuse a tree of columns that is too wide or too deep, or no tree: a reader walks it by recursion."""
    if len(elements) > MAX_COLUMNS:
        raise ThriftError(f"it names {len(elements):,} columns")
    open_: list[int] = [1]
    for element in elements:
        while open_ and open_[-1] == 0:
            open_.pop()
        if not open_:
            raise ThriftError("its columns are no tree")
        open_[-1] -= 1
        element[4].decode("utf-8")
        open_.append(element.get(5, 0))
        if len(open_) > MAX_DEPTH:
            raise ThriftError(f"its columns nest deeper than {MAX_DEPTH}")
    while open_ and open_[-1] == 0:
        open_.pop()
    if open_:
        raise ThriftError("its columns are no tree")
