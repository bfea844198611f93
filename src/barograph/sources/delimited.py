"""Separated text as it comes in, row by row: what the servers of tables send."""

from __future__ import annotations

import codecs
import csv
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from barograph.config import MIB, Limits
from barograph.errors import FormatError, LimitExceeded

_GZIP: Final = b"\x1f\x8b"


def unpacked(pieces: Iterable[bytes], where: str, limits: Limits) -> Iterator[bytes]:
    """The bytes of a gzip file; of a plain one as they are. Raises FormatError, LimitExceeded."""
    engine, begun, size = zlib.decompressobj(wbits=31), False, 0
    for piece in pieces:
        if not begun and not piece.startswith(_GZIP):
            yield piece
            yield from pieces
            return
        begun, data = True, piece
        while data:
            if engine.eof:
                engine = zlib.decompressobj(wbits=31)
            try:
                out = engine.decompress(data, MIB)
            except zlib.error as error:
                raise FormatError(f"is damaged gzip ({error})", where=where, hint="sync again") from error
            size += len(out)
            if size > limits.unpacked_mib * MIB:
                raise LimitExceeded(
                    f"is larger than {limits.unpacked_mib} MiB when unpacked",
                    where=where,
                    hint="raise [limits] unpacked_mib if it is genuine",
                )
            yield out
            data = engine.unconsumed_tail or engine.unused_data
    if begun and not engine.eof:
        raise FormatError("is gzip that ends in the middle", where=where, hint="sync again")


def lines(pieces: Iterable[bytes], where: str) -> Iterator[str]:
    """Lines with their ends. Raises FormatError for what is not UTF-8."""
    decoder, rest = codecs.getincrementaldecoder("utf-8-sig")(), ""
    try:
        for piece in pieces:
            *whole, rest = (rest + decoder.decode(piece)).split("\n")
            yield from (f"{line}\n" for line in whole)
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8", where=where, hint="tell the server's owner") from error
    if rest:
        yield rest


def rows(
    text: Iterable[str],
    header: list[str],
    delimiter: str,
    *,
    where: str,
    keep: Callable[[list[str]], bool] = bool,
) -> Iterator[dict[str, str]]:
    """Rows by column; empty cells are left out, and so are cells beyond the header. `keep` tells which rows.

    Raises FormatError where the text is no such table: a quote that does not close.
    """
    reader = csv.reader(text, delimiter=delimiter)
    before = 0
    try:
        for cells in reader:
            # None of these tables has a cell of several lines.
            if reader.line_num > before + 1:
                raise _unclosed(before, where)
            before = reader.line_num
            if cells and keep(cells):
                yield {name: cell for name, cell in zip(header, cells, strict=False) if cell}
    except csv.Error:
        raise _unclosed(before, where) from None


def _unclosed(before: int, where: str) -> FormatError:
    # Lines are counted behind the header.
    return FormatError(
        f"is a damaged table: a quote that does not close, in line {before + 2:,}", where=where, hint="sync again"
    )
