"""Any table: CSV, JSON, JSON lines or a workbook, plain or gzipped, from a path, a server or a bucket.

Records are what the table says, value for value. CSV and workbooks add `Row`, the line or row number, and workbooks
`Sheet`; a column of such a name becomes "Row.1". A line that cannot be split is landed as `_unread`, so that it is
refused by name when it is decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, ClassVar, Final

from barograph.bucket import Purpose, open_bucket
from barograph.config import MIB, Connection, Limits
from barograph.errors import FormatError, SourceRefused, SourceUnavailable
from barograph.formats.json_table import Item, read_document, read_lines
from barograph.formats.workbook import Sheet, column_names, plain_value, read_workbook
from barograph.formats.workbook_archive import seems
from barograph.formats.workbook_csv import TextRow, read_table
from barograph.messages import Log, Record
from barograph.sources.base import Access, Messages, ReadRequest
from barograph.sources.fetch import fetch
from barograph.sources.fetched import Fetched, keep, too_large
from barograph.sources.masking import hidden, hide, quote

UNREAD: Final = "_unread"
_BUCKET: Final = Purpose("source", SourceRefused, SourceUnavailable)
_GZIP: Final = b"\x1f\x8b"
_WORKBOOKS: Final = ("a zip archive", "an encrypted workbook", "an old .xls workbook")
_SHOWN: Final = 500


class Table:
    """One table, read whole at every sync."""

    spans: ClassVar[bool] = False

    def __init__(self, connection: Connection, access: Access) -> None:
        self._connection = connection
        self._limits = access.limits
        self._options = connection.options

    def read(self, request: ReadRequest) -> Messages:
        """A record per row, item or line.

        CSV and JSON lines are streamed; a JSON document and a workbook are held whole, within `[limits]`. Raises
        SourceRefused where there is no table, FormatError and LimitExceeded where it is damaged or beyond a limit,
        SourceUnavailable where it cannot be had now.
        """
        secrets = self._connection.secrets
        with hidden(secrets):
            url = self._connection.reveal(self._connection.url)
            with self._fetched(url, request) as fetched, closing(_plain(fetched, self._limits)) as table:
                for message in self._messages(table, hide(table.name, secrets), url):
                    yield message if isinstance(message, Record) else Log(message.level, hide(message.message, secrets))

    def _fetched(self, url: str, request: ReadRequest) -> Fetched:
        if url.startswith("s3://"):
            return _from_bucket(url, self._limits)
        headers = self._connection.reveal(self._options.get("headers") or {})
        return fetch(url, self._limits, headers=headers, sleep=request.sleep)

    def _messages(self, table: Fetched, name: str, url: str) -> Iterator[Record | Log]:
        if not table.size:
            raise SourceRefused("is empty (0 bytes)", where=name, hint="export it again")
        start = table.read(4096)
        kind = seems(start)
        if "HTML" in kind:
            raise SourceRefused(
                f"is {kind}, not a table: {quote(start, url)}",
                where=name,
                hint="open the connection's url in a browser; it may want a login, or a header",
            )
        content = self._options.get("content") or self._content(kind, table)
        if content == "xlsx":
            sheets = read_workbook(table.read(), name=name, limit_mib=self._limits.unpacked_mib)
            yield from _workbook(sheets, self._options.get("header_row"), name)
        elif content == "jsonl":
            yield from _items(read_lines(table.file, name=name, limit_mib=self._limits.record_mib))
        elif content == "json":
            path = self._options.get("records")
            yield from _items(read_document(table.file, path, name=name, limit_mib=self._limits.record_mib))
        else:
            yield from self._csv(table, name)

    def _content(self, kind: str, table: Fetched) -> str:
        if kind in _WORKBOOKS:
            return "xlsx"
        if kind != "JSON":
            return "csv"
        if self._options.get("records"):
            return "json"
        # One object on each of several lines is JSON lines; a list, and an object over several lines, is a document.
        table.file.seek(0)
        first = table.file.readline(self._limits.record_mib * MIB).strip()
        return "jsonl" if first[:1] == b"{" and first[-1:] == b"}" else "json"

    def _csv(self, table: Fetched, name: str) -> Iterator[Record]:
        read = read_table(
            table.file,
            name=name,
            delimiter=self._options.get("delimiter"),
            encoding=self._options.get("encoding") or "utf-8",
            header_row=self._options.get("header_row"),
        )
        keys = _keys(read.header, ("Row",))
        for row in read.rows:
            yield Record({**_cells(row, keys), "Row": row.line})


def _from_bucket(url: str, limits: Limits) -> Fetched:
    bucket, key = open_bucket(url, _BUCKET)
    if not key:
        raise SourceRefused("names no object", where=url, hint="write s3://bucket/path/of/the/object")
    entry = bucket.entry(key)
    if entry.size > limits.source_mib * MIB:
        raise too_large(url, limits)
    body, size = keep(bucket.chunks(key, entry.size, entry.etag), url, limits)
    return Fetched(body, url, size, url, etag=entry.etag, last_modified=entry.last_modified)


def _plain(fetched: Fetched, limits: Limits) -> Fetched:
    """The file itself, or what is gzipped in it. Raises FormatError where that is damaged, LimitExceeded."""
    if fetched.read(2) != _GZIP:
        return fetched
    body, size = keep(_gunzip(fetched), fetched.name, limits)
    return Fetched(body, fetched.name, size, fetched.final_url)


def _gunzip(fetched: Fetched) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=31)
    hint = "it may be cut short; export it again"
    try:
        for piece in fetched.pieces():
            data = piece
            while data:
                if engine.eof:
                    engine = zlib.decompressobj(wbits=31)
                yield engine.decompress(data, MIB)
                data = engine.unconsumed_tail or engine.unused_data
        while not engine.eof and (out := engine.decompress(b"", MIB)):
            yield out
    except zlib.error as error:
        raise FormatError(f"is damaged gzip ({error})", where=fetched.name, hint=hint) from None
    if not engine.eof:
        raise FormatError("ends inside of its gzip", where=fetched.name, hint=hint)


def _keys(header: Sequence[str], ours: tuple[str, ...]) -> tuple[str, ...]:
    """The header with our own names kept free; a column of that name becomes "Row.1", as pandas would call it."""
    return tuple([f"{name}.1" if name in ours else name for name in header])


def _cells(row: TextRow, keys: Sequence[str]) -> dict[str, Any]:
    """A line's cells by their names, or the line as it stands and why it has none."""
    problem, cells = row.problem, row.cells
    # Empty cells behind the last column say nothing, nor does a line of bare delimiters.
    if problem is None and (any(cells[len(keys) :]) or (len(cells) < len(keys) and any(cells))):
        problem = f"has {len(cells)} cells instead of {len(keys)}"
    if problem is None:
        return {key: cell for key, cell in zip(keys, cells, strict=False) if cell is not None}
    text = cells[0] if row.problem else " | ".join(cell or "" for cell in cells)
    return {UNREAD: f"{problem}: {(text or '')[:_SHOWN]}"}


def _items(items: Iterable[Item]) -> Iterator[Record]:
    for item in items:
        if item.record is None:
            yield Record({UNREAD: f"{item.problem}: {item.text}", "Row": item.place})
        else:
            yield Record({key: value for key, value in item.record.items() if value is not None})


def _workbook(sheets: Iterable[Sheet], header_row: int | None, name: str) -> Iterator[Record | Log]:
    filled = False
    for each in sheets:
        sheet = each if header_row is None else _below(each, header_row)
        if not sheet.header:
            yield Log("info", f"{name}: sheet {sheet.title!r} is empty")
            continue
        filled = True
        keys = _keys(sheet.header, ("Sheet", "Row"))
        for row, cells in sheet.rows:
            data = {key: plain_value(cell) for key, cell in zip(keys, cells, strict=True) if cell is not None}
            yield Record({**data, "Sheet": sheet.title, "Row": row})
    if not filled:
        raise SourceRefused("is a workbook without any value", where=name, hint="export it again")


def _below(sheet: Sheet, header_row: int) -> Sheet:
    """The sheet as it stands with its column names in that row."""
    at = next((place for place, (number, _) in enumerate(sheet.rows) if number == header_row), None)
    if at is None:
        return sheet
    return Sheet(sheet.title, column_names(sheet.rows[at][1]), sheet.rows[at + 1 :])
