"""Scanning Infoclimat's answers without holding them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import FormatError
from barograph.formats import answer as module
from barograph.formats.answer import Head, Rows, scan_answer

VALUE = st.one_of(st.none(), st.text(alphabet='a"\\]}{[,:é\n ', max_size=5), st.integers(-5, 5))
ROW = st.dictionaries(st.sampled_from(["dh_utc", "temperature", "x"]), VALUE, min_size=1, max_size=3)
ANSWER = st.fixed_dictionaries(
    {
        "status": st.just("OK"),
        "stations": st.lists(st.fixed_dictionaries({"id": st.text(max_size=3)}), max_size=2),
        "hourly": st.dictionaries(st.sampled_from(["00052", "000R5", "07015"]), st.lists(ROW, max_size=6), max_size=3),
    }
)


def _scan(text: bytes, size: int) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    rows: dict[str, list[Any]] = {}
    head: dict[str, Any] = {}
    pieces = (text[start : start + size] for start in range(0, len(text), size))
    for part in scan_answer(pieces, where="x"):
        if isinstance(part, Rows):
            assert part.index == len(rows.get(part.station, []))
            rows.setdefault(part.station, []).extend(json.loads(row) for row in part.rows)
        else:
            head = part.values
    return rows, head


@given(ANSWER, st.integers(1, 50), st.sampled_from([None, 2]), st.booleans(), st.sampled_from([1, 7, 64, 4096]))
def test_a_scan_finds_what_a_parser_finds(
    answer: dict[str, Any], size: int, indent: int | None, wrapped: bool, piece: int
) -> None:
    """Every row of every array, in order, and the head, at any chunking, layout and piece size.

    Strings may hold brackets, braces, quotes and escapes.
    """
    whole = {"_airbyte_raw_id": "x", "_airbyte_data": answer} if wrapped else answer
    text = json.dumps(whole, indent=indent, ensure_ascii=False).encode()
    before, module.PIECE_BYTES = module.PIECE_BYTES, piece  # type: ignore[misc]
    try:
        rows, head = _scan(text, size)
    finally:
        module.PIECE_BYTES = before  # type: ignore[misc]
    assert rows == {name: array for name, array in answer["hourly"].items() if array}
    assert head["stations"] == answer["stations"]
    assert set(head["hourly"]) == set(answer["hourly"])


def test_params_are_no_station() -> None:
    """`_params` is kept in the head and gives no rows."""
    rows, head = _scan(b'{"hourly":{"a":[{"t":1}],"_params":["temperature"]}}', 5)
    assert rows == {"a": [{"t": 1}]}
    assert head["hourly"]["_params"] == ["temperature"]


@pytest.mark.parametrize("cut", range(1, 108, 7))
def test_a_truncated_answer_is_an_error_after_its_whole_rows(cut: int) -> None:
    """Wherever an answer is cut, the scan raises FormatError; rows that were whole came before."""
    text = (
        b'{"stations":[{"id":"a"}],"hourly":{"a":[{"t":"1"},{"t":"2"},{"t":"3"}],"b":[{"t":"4"}],"_params":[1]},"x":1}'
    )
    assert json.loads(text)

    def pieces() -> Iterator[bytes]:
        yield text[:cut]

    seen: list[Rows | Head] = []
    with pytest.raises(FormatError):
        seen.extend(scan_answer(pieces(), where="obj"))
    rows = [json.loads(row)["t"] for part in seen if isinstance(part, Rows) for row in part.rows]
    assert rows == ["1", "2", "3", "4"][: len(rows)]


def test_the_head_comes_before_the_rows_when_it_stands_there() -> None:
    """A decoder knows the stations before the first row, if the answer says them first."""
    parts = list(scan_answer([b'{"stations":[1],"hourly":{"a":[{"t":1}]}}'], where="x"))
    assert isinstance(parts[0], Head)
    assert parts[0].values == {"stations": [1]}
    assert isinstance(parts[1], Rows)


def test_text_after_the_end_is_an_error() -> None:
    """Two objects on a line are not one."""
    with pytest.raises(FormatError, match="after its end"):
        list(scan_answer([b'{"hourly":{}} {}'], where="x"))
