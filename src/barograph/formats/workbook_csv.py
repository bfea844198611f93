"""One sheet saved as text: comma-, semicolon- or tab-separated UTF-8, row by row, one bad line at a time."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from barograph.errors import FormatError
from barograph.formats.workbook import column_names

DELIMITERS: Final = (",", ";", "\t")
LONGEST_RECORD: Final = 20
"""Lines that one quoted cell may span. An odd quote would otherwise swallow the rest of the file into one cell."""

_CHUNK: Final = 1024 * 1024
_QUOTED: Final = re.compile(r'"[^"]*"')
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;\t])"?\s*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextRow:
    """A row and the physical line (1-based) where it begins; empty cells are None.

    Where `problem` says why the line cannot be split, its only cell is the whole line.
    """

    line: int
    cells: tuple[str | None, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TextTable:
    """A header and the rows below it; a row may have fewer or more cells than the header has names."""

    header: tuple[str, ...]
    rows: Iterator[TextRow]


def read_table(
    file: IO[bytes],
    *,
    name: str,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    header_row: int | None = None,
) -> TextTable:
    """The table in `file`, read from its beginning, its rows lazily. Text is kept as it is, its blanks included.

    The first line with a value is the header; the delimiter is the one it has most of outside of quotes, unless a line
    "sep=;" names it. Lines with nothing in them are skipped, lines of bare delimiters are rows without values. A byte
    order mark is tolerated. The encoding of the whole file is checked before the first row where it is UTF-8; what
    another one cannot read becomes U+FFFD. `delimiter` and `header_row` (1-based line) go over what the file shows.

    Raises FormatError: not UTF-8 (with the byte's place), no header, no delimiter.
    """
    utf8 = codecs.lookup(encoding).name == "utf-8"
    if utf8:
        _check_encoding(file, name)
    file.seek(0)
    lines = deque[tuple[int, str]]()
    text = io.TextIOWrapper(file, encoding="utf-8-sig" if utf8 else encoding, errors="replace", newline=None)
    source = enumerate(text, 1)
    for number, line in source:
        if number < (header_row or 1):
            continue
        if delimiter is None and (match := _SEPARATOR_LINE.fullmatch(line)):
            delimiter = match[1]
        elif line.strip(' \n,;\t"'):
            lines.append((number, line))
            break
    if not lines:
        raise FormatError("has no header", where=name, hint="its first line must name the columns")
    outside = _QUOTED.sub("", lines[0][1])
    delimiter = delimiter or max(DELIMITERS, key=outside.count)
    if delimiter not in outside:
        raise FormatError(
            f"its first line {lines[0][1].strip()[:80]!r} is no table header: it has no comma, semicolon or tab",
            where=name,
            hint="save the table as .xlsx or as CSV, with the column names first",
        )
    rows = _rows(source, lines, delimiter)
    header = next(rows)
    if header.problem is not None:
        raise FormatError(f"its header, line {header.line}, {header.problem}", where=name, hint="repair the quotes")
    return TextTable(column_names(header.cells), rows)


def _check_encoding(file: IO[bytes], name: str) -> None:
    """Raise unless the file is UTF-8 without NUL bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    start = line = 0
    while True:
        piece = file.read(_CHUNK)
        held = decoder.getstate()[0]
        where = piece.find(b"\0")
        bad: tuple[int, str] | None = None if where < 0 else (where, "UTF-16")
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            at = error.start - len(held)
            if bad is None or at < bad[0]:
                utf16 = start + at <= 1 and (held + piece).startswith((b"\xff\xfe", b"\xfe\xff"))
                bad = at, "UTF-16" if utf16 else "Windows-1252 or ISO 8859-1 (Latin-1)"
        if bad is not None:
            at, guess = bad
            line += piece.count(b"\n", 0, max(at, 0)) + 1
            byte = (held + piece)[len(held) + at]
            raise FormatError(
                f"is not UTF-8: byte 0x{byte:02x} at offset {start + at:,} (line {line:,}); it may be {guess}",
                where=name,
                hint="save it as UTF-8",
            )
        if not piece:
            return
        start += len(piece)
        line += piece.count(b"\n")


def _rows(source: Iterator[tuple[int, str]], lines: deque[tuple[int, str]], delimiter: str) -> Iterator[TextRow]:
    """Rows of `lines`, which holds lines already read, and then of `source`."""
    while True:
        if not lines and (following := next(source, None)) is not None:
            lines.append(following)
        if not lines:
            return
        number, text = lines.popleft()
        if not text.strip(" \n"):
            continue
        if '"' not in text:
            yield TextRow(number, tuple([cell or None for cell in text.removesuffix("\n").split(delimiter)]))
            continue
        cells, problem = _split(text, source, lines, delimiter)
        if problem is None:
            yield TextRow(number, tuple([cell or None for cell in cells]))
        else:
            yield TextRow(number, (text.removesuffix("\n"),), problem)


def _split(
    text: str, source: Iterator[tuple[int, str]], lines: deque[tuple[int, str]], delimiter: str
) -> tuple[list[str], str | None]:
    """The cells of the record that begins with the line `text`, or what is wrong with that line.

    Takes the lines behind it that belong to the record, and none where there is a problem.
    """
    whole, taken = text, 0
    while True:
        try:
            cells = next(csv.reader([whole], delimiter=delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                return [], f"is not CSV ({error})"
        else:
            for _ in range(taken):
                lines.popleft()
            return cells, None
        if taken == len(lines) and (following := next(source, None)) is not None:
            lines.append(following)
        if taken == len(lines) or taken == LONGEST_RECORD:
            return [], "opens a quote that does not close"
        whole += lines[taken][1]
        taken += 1
