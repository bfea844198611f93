"""Airbyte's envelope around table rows, in any of its formats, current or pre-1.0 names -> raw batches.

CSV and JSONL, flattened or not; Parquet and Avro. The common case of texts runs on whole blocks (polars' CSV and NDJSON
readers); a block that these refuse is gone through line by line, so that one bad line costs only itself and is named.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import polars as pl

from barograph.decode.columnar import EXTRA, is_columnar, text_batches
from barograph.errors import FormatError
from barograph.formats.lines import Block, line_blocks
from barograph.frame import INSTANT
from barograph.model import LandedObject, Rejection

META: Final = (
    "_airbyte_raw_id",
    "_airbyte_ab_id",
    "_airbyte_extracted_at",
    "_airbyte_emitted_at",
    "_airbyte_meta",
    "_airbyte_generation_id",
    EXTRA,
    "_airbyte_data",
)
EXTRACTED: Final = ("_airbyte_extracted_at", "_airbyte_emitted_at")
_OURS: Final = ("_line", "_extracted_at", "_day", "_text")
"""Names that the house gives to its own columns; a feed's column of such a name is left out."""
_SHOWN: Final = 120


@dataclass(slots=True)
class RawBatch:
    """Rows of a table as text: the data columns (pl.String), `_line` (Int32) and `_extracted_at` (INSTANT)."""

    frame: pl.DataFrame
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The data columns."""
        return [name for name in self.frame.columns if name not in _OURS]


def read_table(
    item: LandedObject, chunks: Iterable[bytes], known: Sequence[str], *, limit_bytes: int, unpacked_mib: int = 512
) -> Iterator[RawBatch]:
    """The rows of a landed CSV, JSONL, Parquet or Avro object. `known` are the columns that the source usually has.

    `limit_bytes` bounds a record (of Avro, a block), `unpacked_mib` a row group of Parquet.
    """
    name = item.key.removesuffix(".gz")
    if is_columnar(item.key):
        yield from _read_columnar(item, chunks, known, limit_bytes=limit_bytes, unpacked_mib=unpacked_mib)
        return
    if name.endswith(".csv"):
        blocks = line_blocks(chunks, where=item.key, limit_bytes=limit_bytes, quoted=True)
        yield from _read_csv(item, blocks, known)
    elif name.endswith(".jsonl"):
        blocks = line_blocks(chunks, where=item.key, limit_bytes=limit_bytes)
        yield from _read_jsonl(item, blocks, known)
    else:
        raise FormatError(
            f"cannot read {item.key.rpartition('/')[2]!r}",
            where=item.key,
            hint="land csv, jsonl (or .gz of these), parquet, avro or xlsx",
        )


# ---------------------------------------------------------------------------------------------------------- JSON lines


def _read_jsonl(item: LandedObject, blocks: Iterable[Block], known: Sequence[str]) -> Iterator[RawBatch]:
    reader = _JsonReader(item, known)
    for block in blocks:
        data = block.data.removeprefix(b"\xef\xbb\xbf") if block.line == 1 else block.data
        if block.line == 1 and data.lstrip()[:1] != b"{" and not reader.plausible(data):
            raise FormatError("holds no JSON lines", where=item.key, hint="is it a CSV under the name of a JSONL?")
        yield reader.batch(data.removesuffix(b"\n"), block.line)


class _JsonReader:
    """Reads lines of JSON objects; learns the columns beyond the known ones as it meets them."""

    def __init__(self, item: LandedObject, known: Sequence[str], *, flat: bool = False) -> None:
        self.item = item
        self.fields = list(known)
        self.flat = flat
        self._envelope: int | None = None

    def plausible(self, data: bytes) -> bool:
        """Whether any line of the block is a JSON object."""
        return any(isinstance(_parse(line), dict) for line in data.split(b"\n")[:1000])

    def batch(self, data: bytes, first: int) -> RawBatch:
        """The lines of a block; `first` is the number of its first line."""
        rejections: list[Rejection] = []
        if self._envelope is None:
            self.flat = self.flat or b'"_airbyte_data"' not in data
        frame = self._columns(data)
        if frame is None:
            lines, numbers, rejections = self._sift(data.split(b"\n"), first)
            frame = self._columns(b"\n".join(lines)) if lines else self._nothing()
            if frame is None:
                raise FormatError("cannot be read as JSON lines", where=self.item.key, hint="sync again")
            places = pl.Series("_line", numbers, dtype=pl.Int32)
        else:
            places = pl.int_range(first, first + frame.height, dtype=pl.Int32, eager=True).alias("_line")
        return RawBatch(frame.with_columns(places), rejections)

    def _columns(self, data: bytes) -> pl.DataFrame | None:
        """The block as columns, or None where some line is not a JSON object."""
        if self._envelope is None and data:
            first = _parse(data[: data.find(b"\n")] if b"\n" in data else data)
            if not isinstance(first, dict):
                return None
            self._learn(first)
            meta = first.get("_airbyte_meta")
            self._envelope = sum(name in first for name in META) + (len(meta) if isinstance(meta, dict) else 0)
        frame = self._parse_block(data)
        if frame is not None and self._has_unknown_keys(frame, data):
            before = len(self.fields)
            for line in data.split(b"\n"):
                if isinstance(value := _parse(line), dict):
                    self._learn(value)
            if len(self.fields) > before:
                frame = self._parse_block(data)
        return None if frame is None else _with_extraction(frame, self.item)

    def _nothing(self) -> pl.DataFrame:
        return _with_extraction(pl.DataFrame(schema=dict.fromkeys(self.fields, pl.String())), self.item)

    def _learn(self, value: dict[str, Any]) -> None:
        data = value if self.flat else value.get("_airbyte_data")
        if isinstance(data, dict):
            self.fields += [key for key in data if key not in self.fields and key not in (*META, *_OURS)]

    def _parse_block(self, data: bytes) -> pl.DataFrame | None:
        text = pl.String()
        cells: dict[str, pl.DataType] = dict.fromkeys(self.fields, text)
        schema: dict[str, pl.DataType] = dict.fromkeys(EXTRACTED, text)
        schema |= cells if self.flat else {"_airbyte_data": pl.Struct(cells)}
        try:
            frame = pl.read_ndjson(data, schema=schema)
        except pl.exceptions.PolarsError:
            return None
        if frame.height != (data.count(b"\n") + 1 if data else 0):
            return None
        return frame if self.flat else frame.unnest("_airbyte_data")

    def _has_unknown_keys(self, frame: pl.DataFrame, data: bytes) -> bool:
        """Whether the block may hold keys that no column took up.

        Compared in one pass over the bytes: every key shows as `":`; a key either filled a cell, or was null, or
        stands in the envelope. Text that looks like a key can only make the answer a needless yes.
        """
        filled = frame.height * len(self.fields) - sum(frame[self.fields].null_count().row(0)) if self.fields else 0
        expected = filled + frame.height * (self._envelope or 0)
        keys = data.count(b'":')
        if keys <= expected:
            return False
        expected += data.count(b'":null')
        return keys > expected and keys > expected + self._nested_keys(frame)

    def _nested_keys(self, frame: pl.DataFrame) -> int:
        """The keys that are not null inside of the cells: an object in a column of text shows as its JSON."""
        if not self.fields:
            return 0
        cells = pl.col(self.fields)
        keys = cells.str.count_matches('":', literal=True).cast(pl.Int64).sum()
        nulls = cells.str.count_matches(r'":\s*null').cast(pl.Int64).sum()
        return int(sum(frame.select(keys - nulls).row(0)))

    def _sift(self, lines: list[bytes], first: int) -> tuple[list[bytes], list[int], list[Rejection]]:
        good: list[bytes] = []
        numbers: list[int] = []
        rejections: list[Rejection] = []
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            value = _parse(line)
            if isinstance(value, dict) and (self.flat or isinstance(value.get("_airbyte_data"), dict | None)):
                good.append(line)
                numbers.append(number)
            else:
                rejections.append(_bad_line(self.item, number, line))
        return good, numbers, rejections


def _parse(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _bad_line(item: LandedObject, number: int, line: bytes) -> Rejection:
    try:
        line.decode("utf-8")
        reason = "the line is not a JSON object, or holds none in _airbyte_data (cut short?)"
    except UnicodeDecodeError as error:
        reason = f"the line is not UTF-8 (byte {error.start})"
    return Rejection(item.key, reason, line=number, value=line[:_SHOWN].decode("utf-8", "backslashreplace"))


# ----------------------------------------------------------------------------------------------------------------- CSV


def _read_csv(item: LandedObject, blocks: Iterable[Block], known: Sequence[str]) -> Iterator[RawBatch]:
    header: list[str] | None = None
    inner = _JsonReader(item, known, flat=True)
    for block in blocks:
        data, first = block.data, block.line
        if header is None:
            header, data, first = _csv_header(item, data)
            _check_header(item, header, known)
        rows = _csv_rows(item, data, first, header)
        yield _unwrap(item, rows, inner) if "_airbyte_data" in header else rows


def _csv_header(item: LandedObject, data: bytes) -> tuple[list[str], bytes, int]:
    data = data.removeprefix(b"\xef\xbb\xbf")
    end = data.find(b"\n") + 1 or len(data)
    try:
        header = next(csv.reader([data[:end].decode("utf-8")]), [])
    except UnicodeDecodeError as error:
        raise FormatError(f"its header is not UTF-8 (byte {error.start})", where=item.key) from error
    if not header or data[:1] == b"{":
        raise FormatError("has no CSV header", where=item.key, hint="is it JSONL under the name of a CSV?")
    if len(set(header)) < len(header):
        raise FormatError(f"its header names a column twice: {header}", where=item.key)
    return header, data[end:], 2


def _check_header(item: LandedObject, header: list[str], known: Sequence[str]) -> None:
    """Refuse a table that has nothing of the source's: it is not what its stream says."""
    wanted = {plain_name(name) for name in known}
    if not set(header) & set(META) and not any(plain_name(name) in wanted for name in header):
        shown = ", ".join(header)[:_SHOWN]
        raise FormatError(f"its header names no known column: {shown!r}", where=item.key, hint="is it another table?")


def plain_name(name: str) -> str:
    """A column's name by its letters and digits alone.

    Blanks, case and dots differ from one export to the next, and in Parquet and Avro Airbyte puts an underscore in the
    place of all else.
    """
    return "".join(filter(str.isalnum, name.lower()))


def _csv_rows(item: LandedObject, data: bytes, first: int, header: list[str]) -> RawBatch:
    """A block of records as text columns; empty cells are null."""
    schema = dict.fromkeys(header, pl.String())
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    try:
        frame = pl.read_csv(data, has_header=False, schema=schema, raise_if_empty=False)
    except pl.exceptions.PolarsError:
        frame = None
    # A short record leaves nulls at its end; the last column is the data or, flattened, may well be empty.
    suspicious = frame is None or frame.height != lines or _short(frame, data, header)
    if frame is None or suspicious:
        return _csv_slowly(item, data, first, header)
    numbers = pl.Series("_line", range(first, first + frame.height), dtype=pl.Int32)
    return RawBatch(_with_extraction(frame, item).with_columns(numbers))


def _short(frame: pl.DataFrame, data: bytes, header: list[str]) -> bool:
    """Whether some record may have fewer fields than the header."""
    if frame.get_column(header[-1]).null_count() == 0:
        return False
    return "_airbyte_data" in header or data.count(b",") < frame.height * (len(header) - 1)


def _csv_slowly(item: LandedObject, data: bytes, first: int, header: list[str]) -> RawBatch:
    """Record by record; one that cannot be read costs its first line only, and reading goes on with the next line."""
    rejections: list[Rejection] = []
    rows: list[list[str | None]] = []
    numbers: list[int] = []
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    at = 0
    while at < len(lines):
        text, line = lines[at], first + at
        fields, stop = _csv_record(lines, at)
        if stop > at + 1 and (fields is None or len(fields) != len(header)):
            # An odd quote joined it to the records below.
            fields, stop = None, at + 1
        at = stop
        shown = text[:_SHOWN].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if fields is None:
            rejections.append(Rejection(item.key, "not a CSV record (cut short?)", line=line, value=shown))
        elif not fields:
            continue
        elif len(fields) != len(header):
            reason = f"the record has {len(fields)} fields instead of {len(header)}"
            rejections.append(Rejection(item.key, reason, line=line, value=shown))
        elif any("\udc80" <= char <= "\udcff" for field in fields for char in field):
            rejections.append(Rejection(item.key, "the record is not UTF-8", line=line, value=shown))
        else:
            rows.append([field or None for field in fields])
            numbers.append(line)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(header, ())
    frame = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String()))
    frame = _with_extraction(frame, item).with_columns(pl.Series("_line", numbers, dtype=pl.Int32))
    return RawBatch(frame, rejections)


def _csv_record(lines: Sequence[str], at: int) -> tuple[list[str] | None, int]:
    """The fields of the record that begins on a line (None: it does not end, or is none), and the line after it."""
    stop, quotes = at + 1, lines[at].count('"')
    while quotes % 2 and stop < len(lines):
        quotes += lines[stop].count('"')
        stop += 1
    if quotes % 2:
        return None, stop
    try:
        return next(csv.reader(["\n".join(lines[at:stop]).removesuffix("\r")]), []), stop
    except csv.Error:
        return None, stop


def _unwrap(item: LandedObject, rows: RawBatch, inner: _JsonReader) -> RawBatch:
    """Parse the `_airbyte_data` column of CSV records."""
    outer = rows.frame.with_columns(pl.col("_airbyte_data").fill_null("{}"))
    cells = outer.get_column("_airbyte_data")
    joined = cells.str.join("\n").item().encode() if outer.height else b""
    if joined.count(b"\n") != outer.height - 1:
        # Pretty-printed JSON in a cell: put each on a line of its own.
        joined = b"\n".join(_one_line(cell) for cell in cells)
    batch = inner.batch(joined, 0)
    places = batch.frame.get_column("_line")
    envelope = outer.select("_line", "_extracted_at")[places]
    frame = batch.frame.drop("_line", "_extracted_at").hstack(envelope)
    numbers = outer.get_column("_line")
    rejections = [
        Rejection(
            item.key, "_airbyte_data is not a JSON object (cut short?)", line=numbers[bad.line or 0], value=bad.value
        )
        for bad in batch.rejections
    ]
    return RawBatch(frame, rows.rejections + rejections)


def _one_line(cell: str) -> bytes:
    value = _parse(cell.encode())
    return orjson.dumps(value) if isinstance(value, dict) else cell.replace("\n", " ").encode()


# ---------------------------------------------------------------------------------------------------- Parquet and Avro


def _read_columnar(
    item: LandedObject, chunks: Iterable[bytes], known: Sequence[str], *, limit_bytes: int, unpacked_mib: int
) -> Iterator[RawBatch]:
    """Rows of typed columns as text; `_line` is the number of the record, from 1."""
    inner = _JsonReader(item, known, flat=True)
    for batch in text_batches(chunks, item.key, record_bytes=limit_bytes, unpacked_mib=unpacked_mib):
        if batch.first == 1:
            _check_header(item, batch.frame.columns, known)
        places = pl.int_range(batch.first, batch.first + batch.frame.height, dtype=pl.Int32, eager=True)
        frame = batch.frame.drop(name for name in _OURS if name in batch.frame.columns)
        rows = RawBatch(_with_extraction(frame, item).with_columns(places.alias("_line")))
        yield _unwrap(item, rows, inner) if "_airbyte_data" in frame.columns else rows


# ---------------------------------------------------------------------------------------------------------- extraction


def _with_extraction(frame: pl.DataFrame, item: LandedObject) -> pl.DataFrame:
    """Replace the envelope's columns by `_extracted_at`; a row that does not say takes the object's instant."""
    present = [name for name in EXTRACTED if name in frame.columns]
    when = pl.lit(item.extracted_at, dtype=INSTANT)
    if present:
        text = pl.coalesce(present)
        distinct = frame.select(text.alias("_text")).unique()
        parsed = distinct.with_columns(
            pl.coalesce(
                pl.col("_text").cast(pl.Int64, strict=False).cast(INSTANT),
                pl.col("_text").str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False),
                pl.col("_text").str.to_datetime("%F %T%.f", time_unit="ms", time_zone="UTC", strict=False),
                when,
            ).alias("_extracted_at")
        )
        if parsed.height == 1:
            frame = frame.with_columns(pl.lit(parsed.item(0, "_extracted_at"), dtype=INSTANT).alias("_extracted_at"))
        else:
            frame = frame.with_columns(text.alias("_text")).join(
                parsed, on="_text", how="left", nulls_equal=True, maintain_order="left"
            )
    else:
        frame = frame.with_columns(when.alias("_extracted_at"))
    keep = [name for name in frame.columns if name not in META or name == "_airbyte_data"]
    return frame.select(name for name in keep if name != "_text")
