"""One bad thing in a workbook costs only itself, and is told with its sheet, row, column and value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from openpyxl.worksheet.worksheet import Worksheet

from tests.e2e.scenario import Scene

FILE: Final = "IICHTE19.xlsx"
STATION: Final = "IICHTE19"
STREAM: Final = "meteo_sync/ichtegem/"
SHEET: Final = "011024"
ROW: Final = 40
"""The row that is disturbed, as Excel counts; the header is row 1, row 2 is empty."""
PLACE: Final = {"sheet": SHEET, "row": ROW, "station_id": STATION}


@contextmanager
def sheet_of(scene: Scene) -> Iterator[Worksheet]:
    with scene.workbook(FILE) as book:
        yield book[SHEET]


def column(sheet: Worksheet, name: str) -> int:
    """The 1-based column under a header."""
    return [cell.value for cell in sheet[1]].index(name) + 1


def set_cell(scene: Scene, name: str, value: Any, row: int = ROW) -> None:
    with sheet_of(scene) as sheet:
        sheet.cell(row, column(sheet, name)).value = value


def row_values(sheet: Worksheet, row: int) -> list[Any]:
    return [cell.value for cell in sheet[row]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Temperature", "warm"),
        ("Temperature", "56.8\u00a0mph"),
        ("Humidity", "8 7"),
        ("Wind", "upwards"),
        ("Pressure", "__import__('os').mkdir('evaluated')"),
        ("Time", "25:61"),
        ("Time", "noon"),
    ],
)
def test_a_cell_that_cannot_be_read_costs_its_row(scene: Scene, name: str, value: str) -> None:
    """The row is rejected with sheet, row, column and raw value; every other report is stored and right."""
    set_cell(scene, name, value)
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rejected=1)
    rejection = scene.assert_reported(report, **PLACE, column=name, value=value)
    assert rejection.object.startswith(STREAM)
    assert rejection.line is not None
    scene.assert_record(lost=[scene.of(STATION)[ROW - 3]])


def test_a_row_without_a_time_is_rejected(scene: Scene) -> None:
    """A report that says no time has no place in the record."""
    set_cell(scene, "Time", None)
    report = scene.place.run()
    scene.assert_fate(report, rejected=1)
    scene.assert_reported(report, **PLACE, column="Time", value=None)
    scene.assert_record(lost=[scene.of(STATION)[ROW - 3]])


@pytest.mark.parametrize(
    ("name", "value", "variable", "stored"),
    [
        ("Temperature", "999.9\u00a0°F", "temperature", 537.72),
        ("Humidity", "140\u00a0%", "humidity", 140.0),
        ("Pressure", "0.00\u00a0in", "pressure", 0.0),
    ],
)
def test_an_impossible_value_is_stored_and_flagged(
    scene: Scene, name: str, value: str, variable: str, stored: float
) -> None:
    """What is physically impossible stays as it was said, with QARTOD flag 4: not clamped, dropped or rejected."""
    set_cell(scene, name, value)
    report = scene.place.run()
    assert report.status == "done"
    assert report.rejections_total == 0
    scene.assert_fate(report)
    instant = scene.of(STATION)[ROW - 3]
    scene.assert_record(changed={instant: {variable: stored}})
    assert scene.place.flags() == {instant: {f"{variable}_flag": 4.0}}


def test_missing_cells_are_null(scene: Scene) -> None:
    """A row that ends early is a report with nulls, not zeros, and not a rejection."""
    with sheet_of(scene) as sheet:
        for cell in sheet[ROW][5:]:
            cell.value = None
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report)
    gone = ("mean_wind_speed", "wind_gust", "pressure", "precipitation_rate", "precipitation_acc", "uv", "solar")
    scene.assert_record(changed={scene.of(STATION)[ROW - 3]: dict.fromkeys(gone)})


def test_blank_rows_are_no_reports(scene: Scene) -> None:
    """Rows without any value are counted apart and cost nothing."""
    with sheet_of(scene) as sheet:
        sheet.insert_rows(ROW, 3)
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report)
    assert report.reports.blank == scene.undisturbed.counts.blank + 3
    scene.assert_record()


def test_a_duplicated_row_is_stored_once(scene: Scene) -> None:
    """A row that stands there twice is one report, and the second is counted as a duplicate."""
    with sheet_of(scene) as sheet:
        values = row_values(sheet, ROW)
        sheet.insert_rows(ROW + 1)
        for place, value in enumerate(values, 1):
            sheet.cell(ROW + 1, place).value = value
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report, rows=1, duplicates=1)
    scene.assert_record()


def test_a_contradiction_is_told_and_the_first_row_kept(scene: Scene) -> None:
    """Of two rows for one instant with other values, the first stands; the second is rejected by name, never merged."""
    with sheet_of(scene) as sheet:
        values = row_values(sheet, ROW)
        sheet.insert_rows(ROW + 1)
        for place, value in enumerate(values, 1):
            sheet.cell(ROW + 1, place).value = value
        sheet.cell(ROW + 1, column(sheet, "Temperature")).value = "68.0\u00a0°F"
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rows=1, rejected=1)
    (rejection,) = report.rejections
    assert rejection.object.startswith(STREAM)
    assert (rejection.line, rejection.column, rejection.value) == (ROW + 1, "temperature", "20.0")
    assert "says otherwise" in rejection.reason
    scene.assert_record()


@pytest.mark.parametrize("everywhere", [False, True], ids=["one sheet", "every sheet"])
def test_a_renamed_column_is_told(scene: Scene, *, everywhere: bool) -> None:
    """A column under a new name is not lost in silence: it is named, the run exits 3, all else is stored."""
    with scene.workbook(FILE) as book:
        sheets = list(book) if everywhere else [book[SHEET]]
        rows = sum(sheet.max_row - 2 for sheet in sheets)
        for sheet in sheets:
            sheet.cell(1, column(sheet, "Gust")).value = "Windstoot"
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report)
    rejection = scene.assert_reported(report, column="Windstoot", station_id=STATION, rows=0)
    assert "'Gust'" in rejection.reason
    scene.assert_record(changed={key: {"wind_gust": None} for key in scene.of(STATION)[:rows]})


@pytest.mark.parametrize("everywhere", [False, True], ids=["one sheet", "every sheet"])
def test_a_missing_column_is_told(scene: Scene, *, everywhere: bool) -> None:
    """A column that is not there leaves nulls, and a warning in the logs."""
    with scene.workbook(FILE) as book:
        sheets = list(book) if everywhere else [book[SHEET]]
        rows = sum(sheet.max_row - 2 for sheet in sheets)
        for sheet in sheets:
            sheet.delete_cols(column(sheet, "Dew Point"))
    report = scene.place.run()
    assert report.status == "done"
    scene.assert_fate(report)
    assert any("'Dew Point'" in entry.msg for entry in scene.place.logs("warning"))
    scene.assert_record(changed={key: {"dew_point": None} for key in scene.of(STATION)[:rows]})


@pytest.mark.parametrize("title", ["Feuil1", "__import__('os').mkdir", "321324"])
def test_a_sheet_without_a_date_costs_its_rows(scene: Scene, title: str) -> None:
    """Rows whose day cannot be known are rejected one by one, with the title; the other sheet is stored."""
    with sheet_of(scene) as sheet:
        rows = sheet.max_row - 2
        sheet.title = title
    report = scene.place.run()
    assert report.status == "incomplete"
    scene.assert_fate(report, rejected=rows)
    assert report.rejections_total == rows
    assert {(r.sheet, r.column, r.value, r.station_id) for r in report.rejections} == {(title, "Date", title, STATION)}
    assert sorted(entry.context["row"] for entry in scene.place.logs("error") if "row" in entry.context) == [
        *range(3, rows + 3)
    ]
    scene.assert_record(lost=scene.of(STATION)[:rows])


def test_nothing_in_a_table_is_evaluated(scene: Scene) -> None:
    """Python in a cell is a text like any other: it never runs, and no part of it reaches the record."""
    marker = scene.folder / "evaluated"
    code = f"__import__('os').mkdir({str(marker)!r})"
    set_cell(scene, "Temperature", code)
    set_cell(scene, "Wind", code, ROW + 1)
    set_cell(scene, "Time", code, ROW + 2)
    report = scene.place.run()
    scene.assert_fate(report, rejected=3)
    assert not marker.exists()
    assert b"__import__" not in scene.place.export(flags=True)
    scene.assert_record(lost=scene.of(STATION)[ROW - 3 : ROW])
    assert not marker.exists()


def test_an_earlier_generation_keeps_what_a_bad_one_lost(scene: Scene) -> None:
    """A row that was good yesterday and cannot be read today stays as it was."""
    assert scene.place.run().status == "done"
    set_cell(scene, "Temperature", "warm")
    report = scene.place.run()
    assert report.status == "incomplete"
    assert (report.reports.new, report.reports.changed, report.reports.rejected) == (0, 0, 1)
    scene.assert_record()
