"""Cutting streams at line ends."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import LimitExceeded
from barograph.formats.lines import line_blocks, long_lines

CELL = st.text(alphabet='ab,"\n\r é', max_size=6)


def _chunks(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.binary(max_size=200), st.integers(1, 40), st.integers(1, 60))
def test_blocks_put_together_are_the_stream(data: bytes, chunk: int, size: int) -> None:
    """Nothing is lost, doubled or reordered, every block but the last ends at a line end, and numbers are right."""
    blocks = list(line_blocks(_chunks(data, chunk), where="x", limit_bytes=1000, size=size))
    assert b"".join(block.data for block in blocks) == data
    line = 1
    for block in blocks:
        assert block.line == line
        line += block.data.count(b"\n")
    assert all(block.data.endswith(b"\n") for block in blocks[:-1])


@given(st.lists(st.tuples(CELL, CELL), max_size=12), st.integers(1, 30), st.integers(1, 40))
def test_quoted_blocks_never_cut_a_csv_record(rows: list[tuple[str, str]], chunk: int, size: int) -> None:
    """Each block parses on its own to whole records, also with line ends inside of quotes."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    found: list[tuple[str, ...]] = []
    for block in line_blocks(_chunks(data, chunk), where="x", limit_bytes=10_000, quoted=True, size=size):
        found += [tuple(row) for row in csv.reader(io.StringIO(block.data.decode(), newline=""))]
    assert found == rows


def test_a_record_beyond_the_limit_is_refused() -> None:
    """A line that never ends does not fill the memory."""
    with pytest.raises(LimitExceeded, match="line 1 is longer"):
        list(line_blocks((b"x" * 1000 for _ in range(50)), where="obj", limit_bytes=10_000, size=100))


@given(st.binary(max_size=200), st.integers(1, 40), st.booleans())
def test_long_lines_are_the_lines(data: bytes, chunk: int, drain: bool) -> None:
    """The pieces of each line put together are bytes.split's lines, also when a reader leaves a line half-read."""
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    seen: list[bytes] = []
    for line in long_lines(_chunks(data, chunk)):
        assert line.number == len(seen) + 1
        if drain and line.number % 2:
            seen.append(expected[len(seen)])
        else:
            seen.append(b"".join(line))
    assert seen == expected
