"""The record as a file: CSV, Parquet or JSON, in a stream of pieces and in bounded memory.

Columns are `station_id`, `utc_time`, then every variable of the table in its order, whether observed or not, so that
two exports always have the same shape. The same record gives the same bytes (of Parquet: with the same polars).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

import polars as pl
from polars.io.plugins import register_io_source

from barograph.errors import UsageError
from barograph.frame import FLAG_SUFFIX
from barograph.query import REPORTS_SCHEMA
from barograph.variables import NAMES

Format = Literal["csv", "parquet", "json"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)
ROW_GROUP: Final = 50_000


def columns(*, flags: bool = False) -> list[str]:
    """The columns of an export, in order."""
    return ["station_id", "utc_time", *NAMES, *([name + FLAG_SUFFIX for name in NAMES] if flags else [])]


def export(pieces: Iterable[pl.DataFrame], format: str, out: BinaryIO | Path, *, flags: bool = False) -> int:  # noqa: A002
    """Write `pieces` (frames of `columns(flags=flags)`, as `Query.scan` yields them) in their order; return the rows.

    csv: a header, instants as ISO 8601 with Z, null as nothing. json: one array of objects, a report on a line, null
    as null. parquet: zstd, utc_time as a timestamp in UTC. With `flags` the `<variable>_flag` columns follow.
    A file is replaced only when the export is whole. Raises UsageError for another format or an unwritable path.
    """
    if format not in FORMATS:
        raise UsageError(f"no format {format!r}", where="export", hint=f"one of {', '.join(FORMATS)}")
    if not isinstance(out, Path):
        return _write(pieces, format, out, flags=flags)
    part = out.with_name(f".{out.name}.{os.getpid()}.part") if out.is_file() or not out.exists() else out
    try:
        with part.open("wb") as file:
            rows = _write(pieces, format, file, flags=flags)
        if part != out:
            part.replace(out)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(out), hint="choose another path") from error
    finally:
        if part != out:
            part.unlink(missing_ok=True)
    return rows


def _write(pieces: Iterable[pl.DataFrame], format: str, out: BinaryIO, *, flags: bool) -> int:  # noqa: A002
    counter = _Counted(pieces, columns(flags=flags))
    if format == "parquet":
        _write_parquet(counter, out)
    elif format == "json":
        _write_json(counter, out)
    else:
        _write_csv(counter, out)
    return counter.rows


class _Counted:
    """Pieces with exactly the columns of the export, and how many rows have passed."""

    def __init__(self, pieces: Iterable[pl.DataFrame], names: list[str]) -> None:
        self.pieces, self.names, self.rows = pieces, names, 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for piece in self.pieces:
            self.rows += piece.height
            yield piece.select(self.names)


def _text_time() -> pl.Expr:
    """`barograph.model.iso` for a column: seconds, and milliseconds only where there are any."""
    return pl.col("utc_time").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")


def _write_csv(pieces: _Counted, out: BinaryIO) -> None:
    out.write((",".join(pieces.names) + "\n").encode())
    out.writelines(piece.with_columns(_text_time()).write_csv(include_header=False).encode() for piece in pieces)


def _write_json(pieces: _Counted, out: BinaryIO) -> None:
    lead = b"[\n"
    for piece in pieces:
        if piece.is_empty():
            continue
        lines = BytesIO()
        piece.with_columns(_text_time()).write_ndjson(lines)
        # A line feed inside a string is escaped in JSON, so each one here ends a report.
        out.write(lead + lines.getvalue().rstrip(b"\n").replace(b"\n", b",\n"))
        lead = b",\n"
    out.write(b"[]\n" if lead == b"[\n" else b"\n]\n")


def _write_parquet(pieces: _Counted, out: BinaryIO) -> None:
    def source(
        _columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        yield from pieces

    schema = {name: REPORTS_SCHEMA[name] for name in pieces.names}
    frame = register_io_source(source, schema=schema, is_pure=False)
    frame.sink_parquet(out, compression="zstd", row_group_size=ROW_GROUP, maintain_order=True, engine="streaming")
