"""Tables saved as CSV."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import FormatError
from barograph.formats.workbook_csv import TextRow, read_table


def _rows(text: str | bytes) -> list[TextRow]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_table(io.BytesIO(data), name="t.csv").rows)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Time,Wind\n", ("Time", "Wind")),
        ("\ufeffTime;Wind;Speed, mean\n", ("Time", "Wind", "Speed, mean")),
        ("Time\tWind\r\n", ("Time", "Wind")),
        ('"a,b,c";d\n', ("a,b,c", "d")),
        ("sep=;\nTime;a,b,c,d\n", ("Time", "a,b,c,d")),
        ("\n,,\nTime,,Wind,Wind\n", ("Time", "Unnamed: 1", "Wind", "Wind.1")),
    ],
)
def test_the_header_and_its_delimiter(text: str, header: tuple[str, ...]) -> None:
    """The delimiter is the commonest outside of quotes, or the one that sep= names; names follow pandas."""
    assert read_table(io.BytesIO(text.encode()), name="t.csv").header == header


def test_lines_and_their_numbers() -> None:
    """Blank lines are skipped, bare delimiters are rows without values, numbers are the lines of the file."""
    assert _rows("a,b\n\n1,\n,\n 2 ,3") == [
        TextRow(3, ("1", None)),
        TextRow(4, (None, None)),
        TextRow(5, (" 2 ", "3")),
    ]


def test_quoted_cells_may_hold_delimiters_and_lines() -> None:
    """A cell over two lines belongs to the line where it begins; the next row has the next number."""
    assert _rows('a,b\n"1,x","2\n3"\n4,5\n') == [TextRow(2, ("1,x", "2\n3")), TextRow(4, ("4", "5"))]


def test_an_inch_sign_is_no_quote() -> None:
    """A double quote inside a cell, as in 29.48", is text; the rows behind it are not swallowed."""
    assert _rows('a,b\n29.48",0.00"\n1,2\n') == [TextRow(2, ('29.48"', '0.00"')), TextRow(3, ("1", "2"))]


def test_one_bad_line_costs_one_line() -> None:
    """A quote that never closes, or text behind a closed one, spoils its own line and says why; the rest is read."""
    rows = _rows('a,b\n"1,2\n3,4\n"5"x,6\n7,8')
    assert [(row.line, row.cells) for row in rows if row.problem is None] == [(3, ("3", "4")), (5, ("7", "8"))]
    assert [(row.line, row.cells) for row in rows if row.problem] == [(2, ('"1,2',)), (4, ('"5"x,6',))]


def test_a_quoted_cell_does_not_swallow_the_file() -> None:
    """A stray quote that finds its partner far below is taken for a fault of its own line."""
    far = 'a,b\n"1,2\n' + "3,4\n" * 50 + '5",6\n'
    rows = _rows(far)
    assert [row.line for row in rows if row.problem] == [2]
    assert len(rows) == 52


def test_rows_may_be_longer_or_shorter_than_the_header() -> None:
    """The cells that are there are handed on; judging them is not the reader's part."""
    assert [row.cells for row in _rows("a,b\n1\n1,2,3\n")] == [("1",), ("1", "2", "3")]


@pytest.mark.parametrize(
    ("data", "place", "guess"),
    [
        ("Time,Temperature\n00:04,56.8 °F\n".encode("latin-1"), r"byte 0xb0 at offset 28 \(line 2\)", "Latin-1"),
        (b"a,b\n" + b"1,2\n" * 600_000 + b"\xe9", r"byte 0xe9 at offset 2,400,004 \(line 600,002\)", "Latin-1"),
        ("Time,Wind".encode("utf-16"), r"byte 0xff at offset 0 \(line 1\)", "UTF-16"),
        ("Time,Wind".encode("utf-16-le"), r"byte 0x00 at offset 1 \(line 1\)", "UTF-16"),
        ("a,b\né".encode()[:-1], r"byte 0xc3 at offset 4 \(line 2\)", "Latin-1"),
    ],
    ids=["latin-1", "far", "utf-16", "utf-16 without a mark", "cut inside a character"],
)
def test_another_encoding_is_refused_with_the_place(data: bytes, place: str, guess: str) -> None:
    """The message names the byte, its offset and line, and what the file may be, before any row is read."""
    with pytest.raises(FormatError, match=place) as caught:
        read_table(io.BytesIO(data), name="t.csv")
    assert guess in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "no header"), ("\n,,\n", "no header"), ("Wrong ip address\n", "comma"), ('"a,b\n1,2', "its header")],
)
def test_what_is_no_table(text: str, why: str) -> None:
    """Without a header there is nothing to read the rows by."""
    with pytest.raises(FormatError, match=why):
        read_table(io.BytesIO(text.encode()), name="t.csv")


CELL = st.text(alphabet='ab ;"\n°', max_size=5)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=10), st.sampled_from([",", ";", "\t"]))
def test_what_a_csv_writer_writes_reads_back(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    """Rows written by the standard library come back cell for cell, whatever quotes and lines they hold."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(("x", "y", "z"))
    writer.writerows(rows)
    found = _rows(text.getvalue())
    assert [tuple(cell or "" for cell in row.cells) for row in found] == rows
    assert all(row.problem is None for row in found)
