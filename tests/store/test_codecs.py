"""The codecs below the engines: BSON columns against pymongo's own codec, joined Arrow streams, redaction, start-up."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import bson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from barograph.errors import StoreError
from barograph.store import arrow_day, bson_columns, redact
from barograph.store.bson_columns import DATE, DOUBLE, INT32, Malformed, array_of, elements, values

INT64S = st.integers(-(2**63), 2**63 - 1)
COLUMNS = st.one_of(
    st.tuples(st.just(DOUBLE), st.lists(st.floats(allow_nan=False))),
    st.tuples(st.just(INT32), st.lists(st.integers(-(2**31), 2**31 - 1))),
    st.tuples(st.just(DOUBLE), st.lists(st.none() | st.floats(allow_nan=False) | st.integers(0, 9) | st.text())),
    st.tuples(st.just(INT32), st.lists(st.none() | st.booleans() | st.integers(0, 2**40))),
)


def array(items: list[Any]) -> bytes:
    """The array's bytes as pymongo writes them."""
    return bson.encode({"v": items})[7:-1]


@given(COLUMNS, st.sampled_from([1, 9, 11, 37]))
def test_any_array_reads_as_pymongo_reads_it(column: tuple[int, list[Any]], times: int) -> None:
    """The quick way and the way round it agree with the driver, for keys of one, two and three digits."""
    kind, items = column
    raw = array(items * times)
    got = values(b"before" + raw + b"after", 6, 6 + len(raw), kind)
    assert list(got) == items * times
    assert [isinstance(item, float) for item in got] == [isinstance(item, float) for item in items * times]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101, 288, 999, 1000, 1001, 10_001])
def test_arrays_of_every_length_are_written_as_pymongo_writes_them(count: int) -> None:
    """Byte for byte, at every change of the keys' length."""
    numbers = [number * 7919 - 2**33 for number in range(count)]
    small = [number % 1000 for number in numbers]
    assert array_of(numbers, DATE) == array([bson.DatetimeMS(number) for number in numbers])
    assert array_of(small, INT32) == array(small)
    written = array_of(numbers, DATE)
    assert list(values(written, 0, len(written), DATE)) == numbers


@given(st.dictionaries(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), st.integers() | st.text()))
def test_elements_are_found_where_they_are(document: dict[str, Any]) -> None:
    """Keys in their order, values between the bounds given."""
    document = {key: value if isinstance(value, str) else value % 2**31 for key, value in document.items()}
    raw = bson.encode(document)
    assert [key for key, *_ in elements(raw)] == list(document)
    for key, _, begin, end in elements(raw):
        value = document[key]
        assert raw[begin:end] == (
            value.to_bytes(4, "little") if isinstance(value, int) else raw[begin : begin + 4] + value.encode() + b"\x00"
        )


@given(st.binary(max_size=60), st.data())
def test_broken_bytes_never_pass_for_a_document(noise: bytes, data: st.DataObject) -> None:
    """Cut off or overwritten, the walk ends in Malformed or in bounds that lie inside the bytes; it never hangs."""
    raw = bson.encode({"a": 1.5, "b": "text", "c": [1, 2], "d": {"e": None}})
    place = data.draw(st.integers(0, len(raw)))
    broken = (raw[:place] + noise + raw[place + len(noise) :])[: data.draw(st.integers(0, 80))]
    try:
        found = list(elements(broken))
    except (Malformed, UnicodeDecodeError):
        return
    assert all(0 < begin <= end <= len(broken) for _, _, begin, end in found)


def frames(count: int) -> list[pl.DataFrame]:
    """Frames of three shapes in turn."""
    shapes: list[dict[str, list[Any]]] = [{"a": [1.0, 2.0]}, {"a": [3.0], "b": ["x"]}, {"b": ["y", None, "z"]}]
    return [
        pl.DataFrame({"n": [number] * len(next(iter(shapes[number % 3].values()))), **shapes[number % 3]})
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize("columns", [None, ("n", "b")])
@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
def test_joined_days_equal_days_one_by_one(
    monkeypatch: pytest.MonkeyPatch, count: int, columns: tuple[str, ...] | None, piece: int
) -> None:
    """Whatever their schemas and wherever the pieces end, the rows come in the order of the days."""
    monkeypatch.setattr(arrow_day, "JOIN_BYTES", piece)
    days = frames(count)
    joined = arrow_day.decode_days(
        ((arrow_day.encode(day.get_columns()), day.height) for day in days), columns, where=""
    )
    slow = pl.concat(days, how="diagonal")
    kept = [name for name in slow.columns if columns is None or name in columns]
    assert joined is not None
    assert_frame_equal(joined, slow.select(kept))


def test_no_days_are_no_frame() -> None:
    """Nothing to decode is not an error."""
    assert arrow_day.decode_days([], where="") is None


def test_a_blob_cut_anywhere_is_an_error() -> None:
    """No length of a broken stream is taken for a shorter day."""
    blob = arrow_day.encode(pl.DataFrame({"a": [1.0] * 20, "b": ["x"] * 20}).get_columns())
    for length in range(len(blob)):
        for days in ([(blob[:length], 20)], [(blob, 20), (blob[:length], 20), (blob, 20)]):
            with pytest.raises(StoreError, match="here"):
                arrow_day.decode_days(days, where="here")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////data/meteo.db", "sqlite:////data/meteo.db"),
        ("mongodb://host/meteo", "mongodb://host/meteo"),
        ("mongodb://anna@host/meteo", "mongodb://anna@host/meteo"),
        ("mongodb://anna:s3cret@h1:1,h2:2/meteo?w=1", "mongodb://anna:***@h1:1,h2:2/meteo?w=1"),
        ("mongodb+srv://anna:s3cret@host/meteo", "mongodb+srv://anna:***@host/meteo"),
        ("mongodb://anna:s3/c?r@et@host/meteo", "mongodb://anna:***@host/meteo"),
        ("mongodb://h/?tlsCertificateKeyFilePassword=s3cret&w=1", "mongodb://h/?tlsCertificateKeyFilePassword=***&w=1"),
        (
            "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:s3cret",
            "mongodb://h/?authMechanismProperties=***",
        ),
        ("no url", "no url"),
    ],
)
def test_a_url_is_shown_without_secrets(url: str, shown: str) -> None:
    """Passwords go, however badly written; hosts, users and options stay."""
    assert redact(url) == shown


def test_an_engine_is_imported_when_it_is_opened() -> None:
    """Naming the store costs neither polars nor a database driver."""
    code = (
        "import sys, barograph.store; print([m for m in ('polars', 'pymongo', 'sqlite3', 'bson') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_bson_types_are_those_of_the_specification() -> None:
    """A slip in a constant would write documents that other programs read wrongly."""
    assert bson.encode({"v": [1.5]})[7:-1][4] == bson_columns.DOUBLE
    assert bson.encode({"v": [1]})[7:-1][4] == bson_columns.INT32
    assert bson.encode({"v": [bson.DatetimeMS(1)]})[7:-1][4] == bson_columns.DATE
