"""Landed Parquet and Avro: their rows as columns of text, or as JSON values with the names that a source gave.

In both, Airbyte writes each root field as a column, in whose name all but letters, digits and underscores has become an
underscore.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from barograph.errors import FormatError, LimitExceeded
from barograph.formats.avro import AvroBatch, read_avro
from barograph.formats.parquet import ParquetBatch, read_parquet
from barograph.formats.plain import cell, plain, text_columns

EXTRA: Final = "_airbyte_additional_properties"
"""Before 1.0: a map with what the schema did not foresee."""

EXTENSIONS: Final = (".parquet", ".avro")
_WIDE: Final = 64
"""How often larger than a record's limit the texts of a batch may be: a dictionary repeats a long text for nothing."""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Consecutive rows, every column text (the envelope's too); `first` is the 1-based number of the first."""

    first: int
    frame: pl.DataFrame


def is_columnar(key: str) -> bool:
    """Whether a landed object is Parquet or Avro, by its name."""
    return key.removesuffix(".gz").endswith(EXTENSIONS)


def text_batches(chunks: Iterable[bytes], key: str, *, record_bytes: int, unpacked_mib: int) -> Iterator[TextBatch]:
    """The rows of a Parquet or Avro object. Raises FormatError and LimitExceeded."""
    if not key.removesuffix(".gz").endswith(".parquet"):
        for batch in read_avro(chunks, where=key, limit_bytes=record_bytes):
            yield TextBatch(batch.first, _avro_frame(batch))
        return
    for part in read_parquet(chunks, where=key, limit_mib=unpacked_mib):
        _weigh(part.frame, record_bytes, key)
        with _readable(key, part):
            frame = _parquet_frame(part.frame)
        yield TextBatch(part.first, frame)


def records(
    chunks: Iterable[bytes], key: str, *, record_bytes: int, unpacked_mib: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each record with its number, from 1, as JSON values. Raises FormatError and LimitExceeded."""
    if not key.removesuffix(".gz").endswith(".parquet"):
        for batch in read_avro(chunks, where=key, limit_bytes=record_bytes):
            for number, record in enumerate(batch.records, batch.first):
                yield number, _whole(plain(record, batch.names))
        return
    for part in read_parquet(chunks, where=key, limit_mib=unpacked_mib):
        _weigh(part.frame, record_bytes, key)
        size = int(part.frame.estimated_size())
        if size > record_bytes:
            raise LimitExceeded(
                f"has records of {size >> 20:,} MiB, which are held whole",
                where=key,
                hint="land them as jsonl, or raise [limits] record_mib",
            )
        with _readable(key, part):
            rows = [_whole(plain(row)) for row in part.frame.to_dicts()]
        yield from enumerate(rows, part.first)


@contextmanager
def _readable(key: str, part: ParquetBatch) -> Iterator[None]:
    """A value that Python or polars cannot hold (a date far outside of any calendar) is damage, and no crash."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OverflowError) as error:
        last = part.first + part.frame.height - 1
        raise FormatError(
            f"is a damaged Parquet file: its rows {part.first:,} to {last:,} hold a value that cannot be read "
            f"({' '.join(str(error).split())[:120]})",
            where=key,
            hint="sync again, or remove it",
        ) from error


def _weigh(frame: pl.DataFrame, record_bytes: int, key: str) -> None:
    """Refuse a batch whose texts, each written out, would not fit into memory."""
    texts = sum(int(column.str.len_bytes().sum()) for column in frame.get_columns() if column.dtype == pl.String)
    if texts > _WIDE * record_bytes:
        raise LimitExceeded(
            f"has texts of {texts >> 20:,} MiB in {frame.height:,} rows", where=key, hint="do not trust it"
        )


def _avro_frame(batch: AvroBatch) -> pl.DataFrame:
    fields = list(dict.fromkeys(name for record in batch.records for name in record if name != EXTRA))
    columns = {
        batch.names.get(field, field): [cell(record.get(field), batch.names) for record in batch.records]
        for field in fields
    }
    _add_extra(columns, [record.get(EXTRA) for record in batch.records])
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))


def _parquet_frame(frame: pl.DataFrame) -> pl.DataFrame:
    texts = text_columns(frame.drop(EXTRA, strict=False))
    if EXTRA not in frame.columns:
        return texts
    columns: dict[str, list[str | None]] = {name: texts.get_column(name).to_list() for name in texts.columns}
    _add_extra(columns, [_pairs(value) for value in frame.get_column(EXTRA).to_list()])
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))


def _pairs(value: Any) -> dict[str, Any] | None:
    """A map: in Parquet a list of pairs."""
    if isinstance(value, list):
        return {str(pair["key"]): pair["value"] for pair in value if isinstance(pair, dict)}
    return value if isinstance(value, dict) else None


def _add_extra(columns: dict[str, list[str | None]], extra: list[Any]) -> None:
    """What the schema did not foresee, as columns of their own."""
    for row, pairs in enumerate(extra):
        for name, value in (pairs or {}).items():
            column = columns.setdefault(name, [None] * len(extra))
            if column[row] is None:
                column[row] = cell(value)


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """A record with what its schema did not foresee."""
    extra = _pairs(record.pop(EXTRA, None)) or {}
    return {**extra, **{name: value for name, value in record.items() if value is not None or name not in extra}}
