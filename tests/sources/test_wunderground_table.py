"""Weather Underground tables as records."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from barograph.config import Connection
from barograph.errors import FormatError, LimitExceeded, SourceRefused, SourceUnavailable
from barograph.messages import Log
from barograph.sources import Access, ReadRequest, open_source
from tests.formats.workbooks import HEADER, ROW, day_table, workbook
from tests.sources.conftest import LIMITS, Read, logs, records
from tests.support.http_server import CONTENT_TYPES, FAILING, HttpServer, Reply, html

KIND = "wunderground-table"
REPORT = {"Time": "00:04:00", "Temperature": "56.8\u00a0°F", "UV": 0.0}
"""ROW of the workbooks, as a record: Wind is empty."""


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """Bytes or text as a file."""

    def save(data: bytes | str, name: str = "table.xlsx") -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return save


def test_records_are_airbytes_and_know_their_place(read: Read, saved: Any) -> None:
    """Names, no-break spaces, zeros and missing values as the stock connector gives them, then day, sheet and row."""
    messages = read(KIND, saved(workbook({"011024": day_table([ROW, ROW]), "02-10-2024": day_table()})))
    assert records(messages) == [
        {"Date": "2024-10-01", "Sheet": "011024", "Row": 2},
        {**REPORT, "Date": "2024-10-01", "Sheet": "011024", "Row": 3},
        {**REPORT, "Date": "2024-10-01", "Sheet": "011024", "Row": 4},
        {"Date": "2024-10-02", "Sheet": "02-10-2024", "Row": 2},
        {**REPORT, "Date": "2024-10-02", "Sheet": "02-10-2024", "Row": 3},
    ]
    assert list(records(messages)[1]) == ["Time", "Temperature", "UV", "Date", "Sheet", "Row"]
    assert logs(messages) == []


def test_the_source_is_lazy_and_speaks_only_when_asked(read: Read, tmp_path: Path) -> None:
    """Nothing is fetched when a source is opened; the failure comes with the first message."""
    messages = open_source(Connection("c", KIND, str(tmp_path / "x.xlsx"), "c"), Access(LIMITS)).read(ReadRequest())
    with pytest.raises(SourceRefused, match="No such file"):
        next(messages)


@pytest.mark.parametrize(
    "cell", [time(0, 4), (4 / 1440, "0.000"), datetime(1900, 1, 1, 0, 4, tzinfo=UTC).replace(tzinfo=None), "00:04:00"]
)
def test_times_however_they_are_formatted(read: Read, saved: Any, cell: Any) -> None:
    """A time cell, a bare fraction of a day, pandas' 1 January 1900 and text are one and the same record."""
    messages = read(KIND, saved(workbook({"011024": [("Time",), (cell,)]})))
    assert records(messages)[0]["Time"] == "00:04:00"


def test_a_workbook_that_names_its_days_itself(read: Read, saved: Any) -> None:
    """Date and DateTime columns that an operator added stand as they are; the sheet's title is no second opinion."""
    midnight = datetime(2024, 10, 5, tzinfo=UTC).replace(tzinfo=None)
    sheets: dict[str, list[Any]] = {
        "011024": [("Time", "Date"), (time(0, 4), date(2024, 10, 5)), (time(0, 9), "2024-10-05")],
        "All": [("DateTime",), (midnight,), (midnight.replace(minute=4),)],
    }
    messages = read(KIND, saved(workbook(sheets)))
    assert records(messages) == [
        {"Time": "00:04:00", "Date": "2024-10-05", "Sheet": "011024", "Row": 2},
        {"Time": "00:09:00", "Date": "2024-10-05", "Sheet": "011024", "Row": 3},
        {"DateTime": "2024-10-05 00:00:00", "Sheet": "All", "Row": 2},
        {"DateTime": "2024-10-05 00:04:00", "Sheet": "All", "Row": 3},
    ]
    assert logs(messages) == []


@pytest.mark.parametrize("order", [("Summary", "011024"), ("011024", "Summary")])
def test_a_sheet_that_names_no_day_is_handed_on_without(read: Read, saved: Any, order: tuple[str, ...]) -> None:
    """Its records carry no Date, a warning says why, the order of the sheets is kept, the other sheet is untouched."""
    messages = read(KIND, saved(workbook({title: day_table() for title in order})))
    assert [data["Sheet"] for data in records(messages)] == [order[0]] * 2 + [order[1]] * 2
    assert {data["Sheet"]: data.get("Date") for data in records(messages)} == {"Summary": None, "011024": "2024-10-01"}
    (warning,) = logs(messages)
    assert warning.level == "warning"
    assert "'Summary' names no day" in warning.message


def test_empty_sheets_are_skipped_and_told(read: Read, saved: Any) -> None:
    """Excel's empty Sheet2 is no fault."""
    path = saved(workbook({"011024": day_table(), "Sheet2": []}))
    assert logs(read(KIND, path)) == [Log("info", f"{path}: sheet 'Sheet2' is empty")]


def test_a_workbook_without_days_needs_a_first_day(read: Read, saved: Any) -> None:
    """Without any day there are three ways out, all named; with first_day the records go on without a Date."""
    path = saved(workbook({"Sheet1": day_table(), "Sheet2": day_table()}))
    with pytest.raises(SourceRefused, match=r"'Sheet1', 'Sheet2'.* Date .* DateTime .* first_day") as caught:
        read(KIND, path)
    assert caught.value.where == str(path)
    messages = read(KIND, path, first_day=date(2024, 10, 1))
    assert records(messages)[1] == {**REPORT, "Sheet": "Sheet1", "Row": 3}
    assert not any("Date" in data for data in records(messages))
    assert [log.level for log in logs(messages)] == ["info"]
    assert "first_day 2024-10-01" in logs(messages)[0].message


def test_columns_keep_their_names_whatever_they_are(read: Read, saved: Any) -> None:
    """A renamed, unknown, unnamed, doubled or reserved column is handed on; what it means is the decoder's part."""
    sheet = [("Temp", "Row", "Sheet", None, "Wind", "Wind"), ("1", "2", "3", "4", "5", "6")]
    (record,) = records(read(KIND, saved(workbook({"011024": sheet}))))
    names = {"Temp": "1", "Row.1": "2", "Sheet.1": "3", "Unnamed: 3": "4", "Wind": "5", "Wind.1": "6"}
    assert record == {**names, "Date": "2024-10-01", "Sheet": "011024", "Row": 2}


def test_a_workbook_without_values(read: Read, saved: Any) -> None:
    """Nothing but empty sheets is no export."""
    with pytest.raises(SourceRefused, match="without any value"):
        read(KIND, saved(workbook({"011024": [], "021024": []})))


CSV = "Time;Temperature;UV\n00:04:00;56.8\u00a0°F;\n;;\n00:09:00;56.7\u00a0°F;0\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_records(read: Read, saved: Any, delimiter: str, mark: str) -> None:
    """Text stays text, nothing is missing, and Row is the line; a byte order mark is not part of a name."""
    path = saved(mark + CSV.replace(";", delimiter), "table.csv")
    messages = read(KIND, path, first_day=date(2024, 10, 1))
    assert records(messages) == [
        {"Time": "00:04:00", "Temperature": "56.8\u00a0°F", "Row": 2},
        {"Row": 3},
        {"Time": "00:09:00", "Temperature": "56.7\u00a0°F", "UV": "0", "Row": 4},
    ]


@pytest.mark.parametrize("column", ["Date", "DateTime"])
def test_csv_with_days(read: Read, saved: Any, column: str) -> None:
    """A table that has a Date or DateTime column needs no first_day."""
    messages = read(KIND, saved(f"{column},UV\n2024-10-01,1\n", "t.csv"))
    assert records(messages) == [{column: "2024-10-01", "UV": "1", "Row": 2}]
    assert logs(messages) == []


def test_csv_without_days_is_refused(read: Read, saved: Any) -> None:
    """Guessing a day is not an option."""
    with pytest.raises(SourceRefused, match=r"columns are Time, Temperature, UV.* Date .* DateTime .* first_day"):
        read(KIND, saved(CSV, "table.csv"))


def test_csv_lines_that_do_not_fit(read: Read, saved: Any) -> None:
    """A long, a short and a broken line are handed on with all that they hold, and a warning counts each kind."""
    path = saved('Date,Time,UV\n2024-10-01\n2024-10-01,00:04:00,1,9\n"2024,00:09:00,1\n2024-10-01\n', "t.csv")
    messages = read(KIND, path)
    assert records(messages) == [
        {"Date": "2024-10-01", "Row": 2},
        {"Date": "2024-10-01", "Time": "00:04:00", "UV": "1", "Unnamed: 3": "9", "Row": 3},
        {"Date": '"2024,00:09:00,1', "Row": 4},
        {"Date": "2024-10-01", "Row": 5},
    ]
    assert [(log.level, log.message.removeprefix(f"{path}: ")) for log in logs(messages)] == [
        ("warning", "line 2 and 1 more has fewer cells than the header"),
        ("warning", "line 3 has more cells than the header"),
        ("warning", "line 4 opens a quote that does not close"),
    ]


@pytest.mark.parametrize(
    ("data", "name", "error", "why"),
    [
        (b"", "t.xlsx", SourceRefused, "is empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "t.xlsx", SourceRefused, "is HTML.*Sign in"),
        (b"Time,UV\n", "t.xlsx", FormatError, "not an .xlsx workbook but CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "t", FormatError, "old .xls"),
        (b'{"status": "OK"}', "t.csv", FormatError, "but JSON"),
        (b"\x1f\x8b\x08", "t.csv", FormatError, "but gzip"),
        ("Date;Temp\n2024-10-01;5 °F\n".encode("latin-1"), "t.csv", FormatError, r"offset 23 \(line 2\).*Latin-1"),
        (workbook({"011024": day_table()})[:3000], "t.xlsx", FormatError, "truncated"),
        (workbook({"011024": [HEADER, ["x" * 30_000] * 4] * 999}), "t.xlsx", LimitExceeded, "unpacked_mib"),
    ],
    ids=["empty", "html", "csv as xlsx", "xls", "json", "gzip", "latin-1", "truncated", "bomb"],
)
def test_what_is_no_table(read: Read, saved: Any, data: bytes, name: str, error: type[Exception], why: str) -> None:
    """Each is refused by its own name, with the file and a way on."""
    path = saved(data, name)
    with pytest.raises(error, match=why) as caught:
        read(KIND, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert " — " in str(caught.value)


def test_from_a_server(read: Read, server: HttpServer) -> None:
    """A workbook and a table are told apart by what they hold, not by how the address ends."""
    book = Reply(workbook({"011024": day_table()}), content_type=CONTENT_TYPES[".xlsx"], gzip=True)
    assert len(records(read(KIND, server.on("/export", book)))) == 2
    assert len(records(read(KIND, server.on("/export", Reply(b"Date,UV\n2024-10-01,1\n"))))) == 1
    with pytest.raises(SourceRefused, match=r"is HTML, not a table: .*Sign in"):
        read(KIND, server.on("/export", html("Sign in")))
    with pytest.raises(SourceUnavailable, match="answered 500"):
        read(KIND, server.on("/export", FAILING))
