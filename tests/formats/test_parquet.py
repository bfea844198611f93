"""Parquet: any writer's, weighed before it is read, damage told with its place."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.decode.columnar import records, text_batches
from barograph.errors import FormatError, LandingError, LimitExceeded
from barograph.formats import parquet as module
from barograph.formats.parquet import read_parquet

ROWS: Final = [{"id": f"id {i}", "value": i / 2 if i % 3 else None, "n": {"x": [i, None]}} for i in range(250)]
MIB: Final = 1024 * 1024


def written(rows: Any = ROWS, **options: Any) -> bytes:
    out = io.BytesIO()
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    pq.write_table(table, out, **{"row_group_size": 100, **options})
    return out.getvalue()


def frames(data: bytes, limit_mib: int = 16) -> list[pl.DataFrame]:
    return [batch.frame for batch in read_parquet([data], where="s/x.parquet", limit_mib=limit_mib)]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_compression(compression: str, version: str) -> None:
    """Row groups come one by one, each row once."""
    found = frames(written(compression=compression, data_page_version=version, write_page_checksum=True))
    assert [frame.height for frame in found] == [100, 100, 50]
    assert pl.concat(found).to_dicts() == ROWS


def test_a_large_row_group_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of rows go on from piece to piece."""
    monkeypatch.setattr(module, "BATCH_ROWS", 30)
    batches = list(read_parquet([written(row_group_size=100)], where="x", limit_mib=16))
    assert [batch.first for batch in batches][:6] == [1, 31, 61, 91, 101, 131]
    assert [row for batch in batches for row in batch.frame.to_dicts()] == ROWS


def test_no_rows() -> None:
    """A table without rows is no error."""
    assert frames(written(pa.Table.from_pylist(ROWS).slice(0, 0))) == []


def test_nothing_stays_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file in the temporary folder is gone when reading ends, is given up, or fails."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    batches = read_parquet([written()], where="x", limit_mib=16)
    next(batches)
    assert len(list(tmp_path.iterdir())) == 1
    batches.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FormatError):
        frames(written()[:-20])
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_told() -> None:
    """An error of the disk while the object is kept there names the object and what to do."""

    def chunks() -> Iterator[bytes]:
        yield b"PAR1"
        raise OSError(28, "No space left on device")

    with pytest.raises(LandingError, match=r"No space left on device.*TMPDIR"):
        list(read_parquet(chunks(), where="s/x.parquet", limit_mib=16))


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd", "snappy"])
def test_a_bomb_is_refused(compression: str) -> None:
    """A row group of 64 MiB out of a few KiB is refused at the limit of one."""
    table = pa.table({"text": [("x" * MIB) for _ in range(64)]})
    with pytest.raises(LimitExceeded, match="unpacked_mib"):
        frames(written(table, compression=compression, use_dictionary=False), 1)


def test_rows_out_of_nothing_are_refused() -> None:
    """20 million nulls in some hundred bytes are no table."""
    with pytest.raises(LimitExceeded, match="20,000,000 values in"):
        frames(written(pa.table({"x": pa.nulls(20_000_000, pa.int32())}), row_group_size=20_000_000))


def test_a_text_that_stands_for_many_is_refused() -> None:
    """A dictionary holds 64 KiB once; written out 20,000 times it would fill the memory."""
    data = written(pa.table({"Time": ["x" * 65536] * 20_000}), row_group_size=20_000)
    with pytest.raises(LimitExceeded, match="texts of 1,250 MiB"):
        list(text_batches([data], "x.parquet", record_bytes=MIB, unpacked_mib=16))


def test_a_deep_schema_is_refused() -> None:
    """A reader goes down a tree by recursion."""
    kind = pa.int32()
    for _ in range(20):
        kind = pa.list_(kind)
    with pytest.raises(FormatError, match="nest deeper"):
        frames(written(pa.table({"x": pa.array([None], kind)})))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PAR1" + bytes(4) + b"PARE", "encrypted"),
        (b"PARE" + bytes(100) + b"PARE", "encrypted"),
        (b"PAR1", "cut short"),
        (b"PAR1PAR1", "cut short"),
        (b"PAR1....PAR1", "cut short"),
        (b"PAR1" + bytes(100) + b"\x10\0\0\0PAR1", "lacks a part"),
        (b"PAR1" + b"\xff" * 100 + b"\x10\0\0\0PAR1", "cannot be read"),
        (written()[:-1], "cut short"),
        (written()[:500], "cut short"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    """Encrypted, cut short, without a footer that can be read."""
    with pytest.raises(FormatError, match=words) as caught:
        frames(data)
    assert caught.value.where == "s/x.parquet"


def test_a_wrong_checksum_tells_its_page() -> None:
    """A byte that changed on the way is found, with row group, column and byte, before any row is given."""
    data = bytearray(written(write_page_checksum=True, compression="none", use_dictionary=False))
    at = data.index(b"id 137")
    data[at] ^= 1
    with pytest.raises(FormatError, match="row group 2, column 'id': the checksum of the page at byte"):
        frames(bytes(data))


PAGES: Final = {
    "checksums": written(write_page_checksum=True, compression="snappy"),
    "plain": written(compression="none", use_dictionary=False),
    "second version": written(compression="zstd", data_page_version="2.0"),
}


@pytest.mark.parametrize("kind", PAGES)
@given(st.data())
def test_damage_is_an_error_or_nothing(kind: str, data: st.DataObject) -> None:
    """Cut anywhere, or with bytes changed: a FormatError, or rows; no panic of the library gets through."""
    whole = bytearray(PAGES[kind])
    if data.draw(st.booleans()):
        with pytest.raises(FormatError):
            frames(bytes(whole[: data.draw(st.integers(1, len(whole) - 1))]))
        return
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[at] ^= data.draw(st.integers(1, 255))
    limits = {"record_bytes": MIB, "unpacked_mib": 16}
    try:
        found = list(records([bytes(whole)], "s/x.parquet", **limits))
        texts = list(text_batches([bytes(whole)], "s/x.parquet", **limits))
        assert len(found) == sum(batch.frame.height for batch in texts)
    except FormatError as error:
        assert error.where == "s/x.parquet"  # noqa: PT017 - it may as well not be raised
