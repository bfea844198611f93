"""The record as a file: the same bytes every time, and every value back from them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import StoreError, UsageError
from barograph.export import FORMATS, columns, export
from barograph.query import REPORTS_SCHEMA, Query
from barograph.variables import NAMES

NOON = datetime(2024, 10, 5, 12, tzinfo=UTC)


def piece(*rows: dict[str, object], flags: bool = False) -> pl.DataFrame:
    schema = {name: REPORTS_SCHEMA[name] for name in columns(flags=flags)}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row")


def written(pieces: list[pl.DataFrame], form: str, *, flags: bool = False) -> bytes:
    out = io.BytesIO()
    assert export(iter(pieces), form, out, flags=flags) == sum(part.height for part in pieces)
    return out.getvalue()


ONE = piece(
    {"station_id": "07015", "utc_time": NOON, "temperature": 13.78, "humidity": 81, "precipitation_1h": 0.0},
    {"station_id": "07015", "utc_time": NOON.replace(microsecond=250_000), "wind_direction": 'a "b",\nc'},
)


def test_csv_to_the_letter() -> None:
    """A header, ISO instants with Z, shortest floats, whole numbers whole, nothing for null, quotes where needed."""
    assert written([ONE, ONE.clear()], "csv").decode() == (
        f"station_id,utc_time,{','.join(NAMES)}\n"
        "07015,2024-10-05T12:00:00Z,13.78,,81,,,,,,0.0,,,,,,,,,\n"
        '07015,2024-10-05T12:00:00.250Z,,,,"a ""b"",\nc",,,,,,,,,,,,,,\n'
    )


def test_json_is_one_array_of_full_objects() -> None:
    """Every object has every column, null where nothing is known; pieces leave no seam."""
    data = written([ONE.clear(), ONE, ONE.clear(), ONE], "json")
    rows = json.loads(data)
    assert [row["utc_time"] for row in rows] == ["2024-10-05T12:00:00Z", "2024-10-05T12:00:00.250Z"] * 2
    assert [*rows[0]] == columns()
    assert rows[0] | {"station_id": "07015", "temperature": 13.78, "humidity": 81} == rows[0]
    assert (rows[0]["precipitation_1h"], rows[0]["solar"]) == (0.0, None)
    assert b'"temperature":13.78' in data
    assert b'"humidity":81,' in data


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_record_is_a_valid_file(form: str) -> None:
    """No reports: a header, an empty array, a table without rows."""
    data = written([], form)
    if form == "csv":
        assert data.decode() == ",".join(columns()) + "\n"
    elif form == "json":
        assert json.loads(data) == []
    else:
        assert pl.read_parquet(data).schema == {name: REPORTS_SCHEMA[name] for name in columns()}


def values(name: str) -> st.SearchStrategy[object]:
    if REPORTS_SCHEMA[name] == pl.String:
        return st.text(max_size=5)
    if REPORTS_SCHEMA[name] == pl.Int16:
        return st.integers(-(2**15), 2**15 - 1)
    return st.floats(allow_nan=False, allow_infinity=False)


ROWS = st.lists(
    st.fixed_dictionaries(
        {"station_id": st.text(min_size=1, max_size=5), "utc_time": st.integers(0, 2**41)},
        optional={name: st.none() | values(name) for name in NAMES},
    ),
    min_size=1,
    max_size=8,
)


@given(ROWS, st.integers(0, 8))
def test_every_value_comes_back(rows: list[dict[str, object]], cut: int) -> None:
    """Any value of any variable is read back the same from all three formats, wherever the pieces are cut."""
    whole = piece(*rows)
    pieces = [whole[:cut], whole[cut:]]
    text = whole.with_columns(pl.col("utc_time").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    assert pl.read_parquet(written(pieces, "parquet")).equals(whole)
    assert json.loads(written(pieces, "json")) == text.to_dicts()
    lines = list(csv.DictReader(io.StringIO(written(pieces, "csv").decode(), newline="")))
    for line, row in zip(lines, text.iter_rows(named=True), strict=True):
        # CSV has one way to write nothing: an empty text and null are the same.
        known = {name: "" if value is None else value for name, value in row.items()}
        assert {name: type(known[name])(value) for name, value in line.items()} == known


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("flags", [False, True])
def test_the_record_gives_the_same_bytes_each_time(query: Query, tmp_path: Path, form: str, *, flags: bool) -> None:
    """Twice the same export of a store is twice the same file, and it holds the whole record in order."""
    paths = [tmp_path / "first", tmp_path / "second"]
    for path in paths:
        pieces = query.scan(query.spans(), columns=columns(flags=flags))
        assert export(pieces, form, path, flags=flags) == 48 + 38 * 48
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    if form == "parquet":
        frame = pl.read_parquet(first)
        assert frame.equals(pl.concat(query.scan(query.spans(), columns=columns(flags=flags))))
        assert frame.equals(frame.sort("station_id", "utc_time"))


def broken() -> Iterator[pl.DataFrame]:
    yield ONE
    raise StoreError("gone", where="store")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_replaced_only_by_a_whole_export(tmp_path: Path, form: str) -> None:
    """When the store fails half-way, the error is the store's, the old file stays and nothing lies beside it."""
    path = tmp_path / "export"
    path.write_text("before")
    with pytest.raises(StoreError, match="store: gone"):
        export(broken(), form, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """An unknown format, a missing folder and a folder in the file's place are errors of usage."""
    with pytest.raises(UsageError, match="no format 'xml' — one of csv, parquet, json"):
        export([ONE], "xml", io.BytesIO())
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        export([ONE], "csv", tmp_path / "missing" / "export.csv")
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        export([ONE], "csv", tmp_path)


def test_a_device_is_written_to_not_replaced(tmp_path: Path) -> None:
    """A path that is no file keeps what it is."""
    assert export([ONE], "csv", Path("/dev/null")) == 2
    assert Path("/dev/null").is_char_device()
