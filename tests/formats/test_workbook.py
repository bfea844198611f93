"""Workbooks as rows."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import FormatError
from barograph.formats.workbook import (
    Cell,
    Sheet,
    column_names,
    format_time,
    plain_value,
    read_workbook,
    sheet_date,
)
from tests.formats.workbooks import HEADER, ROW, day_table, rewritten, workbook


def _read(data: bytes) -> list[Sheet]:
    return list(read_workbook(data, name="table.xlsx", limit_mib=64))


def _wall(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    """A workbook's instant: a clock on some wall, without a timezone."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC).replace(tzinfo=None)


def _cells(*values: object) -> tuple[Cell, ...]:
    """What the reader makes of one row of values, under a header as wide."""
    rows = [[f"c{i}" for i in range(len(values))], values]
    (sheet,) = _read(workbook({"a": rows}, nan_inf_to_errors=True))
    return sheet.rows[0][1]


def test_sheets_rows_and_their_numbers() -> None:
    """Each sheet has its title, its header and every row below it, the blank one too, under Excel's row numbers."""
    data = workbook({"011024": day_table([ROW, ROW]), "021024": day_table()})
    first, second = _read(data)
    blank = (None, None, None, None)
    assert first == Sheet("011024", HEADER, [(2, blank), (3, ROW), (4, ROW)])
    assert second.title == "021024"


def test_the_header_is_the_first_row_with_a_value() -> None:
    """Empty rows above the table shift it, and its row numbers stay those that Excel shows."""
    (sheet,) = _read(workbook({"a": [[], [], [None, "Time"], [None, "x"]]}))
    assert sheet == Sheet("a", ("Unnamed: 0", "Time"), [(4, (None, "x"))])


def test_a_sheet_without_a_value_has_no_header() -> None:
    """An empty sheet is told apart from a table without rows."""
    empty, bare = _read(workbook({"empty": [], "bare": [HEADER]}))
    assert empty == Sheet("empty", (), [])
    assert bare == Sheet("bare", HEADER, [])


def test_cells_keep_what_they_say() -> None:
    """Text keeps its no-break space and blanks, zero stays zero, dates and times become Python's."""
    values = ["56.8\u00a0°F", " x ", 0.0, 3, True, date(2024, 10, 1), _wall(2024, 10, 1, 0, 4)]
    assert _cells(*values) == ("56.8\u00a0°F", " x ", 0.0, 3.0, True, date(2024, 10, 1), values[-1])


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (timedelta(minutes=4), time(0, 4)),
        (timedelta(hours=24), "24:00:00"),
        (timedelta(hours=25, minutes=4, seconds=5), "25:04:05"),
        ((4 / 1440, "hh:mm:ss"), time(0, 4)),
        ((0.0, "hh:mm"), time(0, 0)),
        (float("nan"), None),
    ],
)
def test_times_durations_and_errors(value: object, cell: Cell) -> None:
    """A time of day is one however it is formatted; what is beyond a day stays readable; an error is no value."""
    assert _cells(value, "x")[0] == cell


def test_trailing_empty_columns_are_dropped_and_inner_ones_are_not() -> None:
    """A column is named like pandas names it where it has values and no name; empty ones at the end do not exist."""
    (sheet,) = _read(workbook({"a": [["Time", None, "UV", None, '=""'], ["x", 5, "y", None, '=""']]}))
    assert sheet.header == ("Time", "Unnamed: 1", "UV")
    assert sheet.rows == [(2, ("x", 5.0, "y"))]


def test_hidden_sheets_are_read_and_charts_are_not() -> None:
    """A hidden day is a day; a chart sheet holds no table."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream)
    book.add_worksheet("011024").write(0, 0, "Time")
    hidden = book.add_worksheet("021024")
    hidden.write(0, 0, "Time")
    hidden.hide()
    book.add_chartsheet("plot")
    book.close()
    assert [sheet.title for sheet in _read(stream.getvalue())] == ["011024", "021024"]


def test_a_broken_sheet_is_a_format_error() -> None:
    """What only the workbook reader can see is reported in our terms too, with the file's name."""

    def spoil(name: str, content: bytes) -> bytes:
        return content.replace(b'r="A1"', b'r="1A"') if "sheet1" in name else content

    with pytest.raises(FormatError, match=r"table\.xlsx: is a damaged workbook"):
        _read(rewritten(workbook({"a": [["x"]]}), spoil))


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (("Wind", "Wind", "Wind"), ("Wind", "Wind.1", "Wind.2")),
        (("Wind", "Wind", "Wind.1"), ("Wind", "Wind.2", "Wind.1")),
        (("a", None, None), ("a", "Unnamed: 1", "Unnamed: 2")),
        ((2024.0, 1.5, True, date(2024, 10, 1)), ("2024", "1.5", "True", "2024-10-01")),
    ],
)
def test_column_names_follow_pandas(cells: tuple[Cell, ...], names: tuple[str, ...]) -> None:
    """Duplicates and unnamed columns get the names that the stock connector shows."""
    assert column_names(cells) == names


@given(st.lists(st.sampled_from(["a", "a.1", "a.2", "b", None, "Unnamed: 0"]), max_size=8))
def test_column_names_are_unique(cells: list[str | None]) -> None:
    """No column can hide another, and a name that is unique in the header is kept."""
    names = column_names(cells)
    assert len(set(names)) == len(cells)
    single = [cell for cell in cells if cell in ("a", "a.1", "a.2", "b") and cells.count(cell) == 1]
    assert all(names[cells.index(cell)] == cell for cell in single)


@pytest.mark.parametrize(
    ("title", "day"),
    [
        ("011024", date(2024, 10, 1)),
        (" 011024\u00a0", date(2024, 10, 1)),
        ("01102024", date(2024, 10, 1)),
        ("01-10-24", date(2024, 10, 1)),
        ("1.10.2024", date(2024, 10, 1)),
        ("01/10/2024", date(2024, 10, 1)),
        ("01_10_24", date(2024, 10, 1)),
        ("01 10 2024", date(2024, 10, 1)),
        ("2024-10-01", date(2024, 10, 1)),
        ("2024_10_01", date(2024, 10, 1)),
        ("20241001", date(2024, 10, 1)),
        ("20102010", date(2010, 10, 20)),
        ("290224", date(2024, 2, 29)),
        ("241001", date(2001, 10, 24)),
    ],
)
def test_readable_titles(title: str, day: date) -> None:
    """Titles of days, the day before the month always."""
    assert sheet_date(title) == day


@pytest.mark.parametrize(
    "title",
    ["102524", "290223", "Summary", "", "011024 (2)", "01-10.24", "1024", "0110240", "99999999", "01102124", "٠١١٠٢٤"],
)
def test_unreadable_titles(title: str) -> None:
    """MMDDYY is never tried, and nothing is guessed from what is no date."""
    assert sheet_date(title) is None


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_day_has_its_titles(day: date) -> None:
    """Each supported pattern of each day of the century reads back as that day: eight digits are never ambiguous."""
    for pattern in ("%d%m%y", "%d%m%Y", "%Y%m%d", "%Y-%m-%d", "%d-%m-%y", "%d.%m.%Y"):
        assert sheet_date(day.strftime(pattern)) == day


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, None),
        (time(0, 4), "00:04:00"),
        (time(23, 59, 59), "23:59:59"),
        (_wall(1899, 12, 30, 0, 4), "00:04:00"),
        (_wall(1900, 1, 1, 0, 4), "00:04:00"),
        (date(1900, 1, 1), "00:00:00"),
        (_wall(2024, 10, 1, 0, 4), "2024-10-01 00:04:00"),
        (date(2024, 10, 1), "2024-10-01"),
        (4 / 1440, "00:04:00"),
        (0.0, "00:00:00"),
        (0.99999999999, "23:59:59.999000"),
        (1.5, "1.5"),
        (-0.5, "-0.5"),
        (True, "True"),
        ("12:04 AM", "12:04 AM"),
        (" 0:04\u00a0", " 0:04\u00a0"),
    ],
)
def test_time_cells_as_text(cell: Cell, text: str | None) -> None:
    """A time of day prints as the stock connector prints it; nothing else is turned into one."""
    assert format_time(cell) == text


@given(st.integers(0, 86_399))
def test_a_fraction_of_a_day_is_its_second(second: int) -> None:
    """Excel's number for every second of the day prints as exactly that second."""
    expected = time(second // 3600, second // 60 % 60, second % 60)
    assert format_time(second / 86_400) == expected.isoformat()


def test_plain_values_are_json() -> None:
    """Dates and times become text, everything else is left alone."""
    cells: tuple[Cell, ...] = (time(1, 2), date(2024, 10, 1), _wall(2024, 10, 1, 0, 4), 1.0, True, "x", None)
    assert [plain_value(cell) for cell in cells] == [
        "01:02:00",
        "2024-10-01",
        "2024-10-01 00:04:00",
        1.0,
        True,
        "x",
        None,
    ]
