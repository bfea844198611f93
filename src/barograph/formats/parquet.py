"""Parquet files as frames: weighed first, then read some MiB at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import IO, Final

import polars as pl

from barograph.errors import FormatError, LandingError
from barograph.formats.parquet_footer import RowGroup, weigh_parquet

BATCH_ROWS: Final = 100_000
BATCH_BYTES: Final = 64 * 1024 * 1024
"""What a batch's rows may measure when unpacked, on average."""


@dataclass(frozen=True, slots=True)
class ParquetBatch:
    """Consecutive rows, their columns typed as in the file; `first` is the 1-based number of the first row."""

    first: int
    frame: pl.DataFrame


def read_parquet(chunks: Iterable[bytes], *, where: str, limit_mib: int) -> Iterator[ParquetBatch]:
    """The rows of a Parquet file, in batches; several for a large row group, never more than one group in a batch.

    The file is kept in the temporary folder meanwhile, since its footer stands at its end. `limit_mib` bounds a row
    group when unpacked. Raises FormatError, with the place, LimitExceeded, and LandingError where the folder is full;
    batches that were given before are good.
    """
    with NamedTemporaryFile(prefix="barograph-", suffix=".parquet") as file:
        _spool(chunks, file, where)
        groups = weigh_parquet(file, where=where, limit_mib=limit_mib)
        first = 1
        for number, group in enumerate(groups, 1):
            step = _step(group)
            for start in range(0, group.rows, step):
                rows = min(step, group.rows - start)
                yield ParquetBatch(first, _slice(file.name, first - 1, rows, f"row group {number}", where))
                first += rows


def _step(group: RowGroup) -> int:
    """Rows of a batch: each pass over a row group unpacks it anew, so there are few."""
    passes = -(-group.unpacked // BATCH_BYTES) or 1
    return max(1, min(BATCH_ROWS, -(-group.rows // passes)))


def _spool(chunks: Iterable[bytes], file: IO[bytes], where: str) -> None:
    try:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
    except OSError as error:
        raise LandingError(
            f"it cannot be kept in the temporary folder: {error.strerror}",
            where=where,
            hint="free some space there, or name another folder in TMPDIR",
        ) from error


def _slice(path: str, start: int, rows: int, place: str, where: str) -> pl.DataFrame:
    """Some rows of one row group."""
    try:
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False, use_statistics=False).slice(start, rows)
        found = frame.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        # polars panics (a BaseException) on some damage that it does not foresee; its memory is sound afterwards.
        why = " ".join(str(error).split())[:160]
        raise FormatError(
            f"is a damaged Parquet file: {place} cannot be read ({why})", where=where, hint="sync again, or remove it"
        ) from error
    if found.height != rows:
        raise FormatError(f"is a damaged Parquet file: {place} ends after {found.height:,} rows", where=where)
    return found
