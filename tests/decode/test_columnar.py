"""Typed columns: what Parquet and Avro say in types comes out as the texts that a table has."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final

import fastavro
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from barograph.decode.columnar import records, text_batches
from barograph.decode.envelope import META, plain_name
from barograph.decode.wunderground import KNOWN
from barograph.errors import FormatError, LimitExceeded
from barograph.formats.plain import cell, text_columns
from tests.decode.helpers import ANSWER, decode, dumps
from tests.decode.test_infoclimat import answer

INSTANT: Final = datetime(2025, 10, 24, 21, 57, tzinfo=UTC)


def parquet(rows: list[dict[str, Any]], **types: pa.DataType) -> bytes:
    out = io.BytesIO()
    arrays = {name: pa.array([row.get(name) for row in rows], type=types.get(name)) for row in rows for name in row}
    pq.write_table(pa.table(arrays), out)
    return out.getvalue()


def avro(rows: list[dict[str, Any]], **types: Any) -> bytes:
    out = io.BytesIO()
    fields = [
        {"name": name, "type": ["null", types.get(name, "string")]}
        for name in dict.fromkeys(k for r in rows for k in r)
    ]
    fastavro.writer(out, fastavro.parse_schema({"type": "record", "name": "r", "fields": fields}), rows)
    return out.getvalue()


def test_a_typed_wall_clock_is_the_stations() -> None:
    """A DateTime column that became a timestamp, as if it were UTC, is still station-local."""
    rows = [{"DateTime": datetime(2024, 10, 1, 0, 4, tzinfo=UTC), "Temperature": "50\u00a0°F"}]
    typed = {"type": "long", "logicalType": "timestamp-micros"}
    for data, extension in ((parquet(rows), "parquet"), (avro(rows, DateTime=typed), "avro")):
        found = decode(data, extension)
        assert (found.times, found.rejections) == (["2024-09-30T22:04"], [])


def test_unflattened_records_in_parquet() -> None:
    """What no Airbyte writes, but a person may: JSON text in `_airbyte_data`."""
    data = dumps({"Time": "00:04:00", "Date": "2024-10-01", "Dew Point": "50\u00a0°F"})
    found = decode(parquet([{"_airbyte_data": data, "_airbyte_extracted_at": INSTANT}]), "parquet")
    assert found.frame.select("dew_point", "extracted_at").rows() == [(10.0, INSTANT)]


def test_what_the_schema_did_not_foresee() -> None:
    """Before 1.0 it stands in a map, under its own name; a value of its own column goes first."""
    extra = "_airbyte_additional_properties"
    rows: list[dict[str, Any]] = [
        {"Time": "00:04:00", "Date": "2024-10-01", "Dew_Point": None, extra: {"Dew Point": "50\u00a0°F"}},
        {"Time": "00:09:00", "Date": "2024-10-01", "Dew_Point": None, extra: None},
    ]
    mapped = pa.map_(pa.string(), pa.string())
    for data, extension in (
        (parquet(rows, **{extra: mapped, "Dew_Point": pa.string()}), "parquet"),
        (avro(rows, **{extra: {"type": "map", "values": "string"}}), "avro"),
    ):
        found = decode(data, extension)
        assert found.frame.get_column("dew_point").to_list() == [10.0, None]
        assert found.rejections == []


def test_a_date_that_no_calendar_has_costs_its_row() -> None:
    """A number far outside of any calendar is rejected with its row; polars would panic at it."""
    days = pa.array([20_000, 2_000_000_000], type=pa.int32()).cast(pa.date32())
    out = io.BytesIO()
    pq.write_table(pa.table({"Time": ["00:04:00"] * 2, "Date": days, "Temperature": ["50"] * 2}), out)
    found = decode(out.getvalue(), "parquet")
    assert found.times == ["2024-10-03T22:04"]
    assert [(r.line, r.column, r.value) for r in found.rejections] == [(2, "Date", "2000000000")]


def test_times_of_no_day() -> None:
    """Times and instants out of range become the numbers that they are."""
    frame = pl.DataFrame({
        "ms": pl.Series([0, 2**62, -(2**62), None]).cast(pl.Datetime("ms")),
        "us": pl.Series([1_234_567, 2**62, -(2**62), None]).cast(pl.Datetime("us", "UTC")),
        "time": [time(0, 4), time(0, 4, 5, 120_000), None, time(23, 59, 59)],
    })  # fmt: skip
    assert text_columns(frame).rows() == [
        ("1970-01-01 00:00:00", "1970-01-01T00:00:01.234567Z", "00:04:00"),
        (str(2**62), str(2**62), "00:04:05.120"),
        (str(-(2**62)), str(-(2**62)), None),
        (None, None, "23:59:59"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        (True, "true"),
        (0.0, "0"),
        (-1.5, "-1.5"),
        (2**53 + 1, str(2**53 + 1)),
        (date(2024, 10, 1), "2024-10-01"),
        (time(0, 4), "00:04:00"),
        (INSTANT, "2025-10-24T21:57:00Z"),
        (INSTANT.replace(tzinfo=None), "2025-10-24 21:57:00"),
        (b"\xc3\xa9\xff", "é\\xff"),
        ({"_07015": [1.0, None], "_params": {}}, '{"07015":[1,null],"_params":{}}'),
        ({"member0": None, "member1": 0.0}, "0"),
        ({"type": "string", "string": "x", "number": None}, "x"),
        ({"type": "synop", "string": "x"}, '{"type":"synop","string":"x"}'),
        ({"type": "object", "object": {"a": 1.0}, "string": None}, '{"a":1}'),
    ],
)
def test_cells(value: Any, text: str | None) -> None:
    """Every type as JSON or a CSV has it; a column in Parquet comes out as a value in Avro does."""
    assert cell(value) == text
    column = pl.Series("x", [value, value], strict=False)
    if column.dtype != pl.Struct or text is None or not text.startswith("{"):
        assert text_columns(column.to_frame()).get_column("x").to_list() == [text, text]


@pytest.mark.parametrize("write", [parquet, avro])
def test_another_table_is_refused(write: Callable[..., bytes]) -> None:
    """Columns of which none is known, and no envelope."""
    extension = "parquet" if write is parquet else "avro"
    with pytest.raises(FormatError, match="names no known column: 'foo'"):
        decode(write([{"foo": "1"}]), extension)


def test_answers_in_columns_are_held_whole_within_the_limit() -> None:
    """The answer of a Parquet object takes memory by its size, so it has a bound, like a line of a table."""
    data = parquet(
        [{name: dumps(value) if isinstance(value, dict | list) else value for name, value in answer().items()}]
    )
    assert decode(data, "parquet", ANSWER).frame.height == 1
    with pytest.raises(LimitExceeded, match="held whole"):
        list(records([data], "x.parquet", record_bytes=100, unpacked_mib=1))


def test_our_own_names_are_kept_free() -> None:
    """A feed's column under a name that we give ourselves is left out."""
    rows = [
        {"Time": "00:04:00", "Date": "2024-10-01", "_line": "9", "_extracted_at": "x", "_day": "y", "Temperature": "50"}
    ]
    found = decode(parquet(rows), "parquet")
    assert found.frame.get_column("line").to_list() == [1]
    (batch,) = text_batches([avro(rows)], "x.avro", record_bytes=1000, unpacked_mib=1)
    assert batch.frame.rows() == [tuple(rows[0].values())]


def test_no_two_columns_share_their_letters_and_digits() -> None:
    """Names that differ in nothing else would be taken for each other."""
    names = [*KNOWN, "DateTime", *META]
    assert len({plain_name(name) for name in names}) == len(names)
    assert {plain_name(name) for name in ("Precip. Rate.", "Precip__Rate_", "precip rate")} == {"preciprate"}
