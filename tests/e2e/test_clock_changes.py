"""The two nights on which the clock is changed, in the real export format, against a reading by other means."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from barograph.query import Query
from barograph.simulate import simulate
from barograph.wiring import opened_store
from tests.e2e import oracle
from tests.e2e.scenario import Place, assert_settled


def night(tmp_path: Path, day: date) -> Place:
    """Three local days around a night, of ILAMAD25 among others."""
    network = simulate(tmp_path / "network", start=day - timedelta(days=1), days=3, stations=3)
    return Place(network.config, tmp_path / "data")


def rows_on(path: Path, day: date) -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(path, read_only=True)
    _, *rows = book[f"{day:%d%m%y}"].iter_rows(values_only=True)
    return [row for row in rows if any(cell is not None for cell in row)]


@pytest.mark.parametrize(
    ("day", "rows", "first"),
    [
        (date(2024, 10, 27), 300, datetime(2024, 10, 26, 22, tzinfo=UTC)),
        (date(2025, 3, 30), 276, datetime(2025, 3, 29, 23, tzinfo=UTC)),
    ],
    ids=["autumn", "spring"],
)
def test_a_day_of_another_length(tmp_path: Path, day: date, rows: int, first: datetime) -> None:
    """25 and 23 hours of 5-minute rows land on as many instants, 5 minutes apart, each with its own values."""
    place = night(tmp_path, day)
    path = tmp_path / "network" / "ILAMAD25.xlsx"
    assert len(rows_on(path, day)) == rows
    report = place.run()
    assert (report.status, report.rejections_total, report.reports.duplicates) == ("done", 0, 0)
    stored = {key: value for key, value in place.record().items() if key[0] == "ILAMAD25"}
    exact = oracle.read_workbook(path, "ILAMAD25", "Europe/Paris")
    assert oracle.differences(exact, stored) == []
    with opened_store(place.settings) as store:
        query = Query(store)
        instants = query.reports("ILAMAD25", query.span("ILAMAD25", day))["utc_time"].to_list()
    assert len(instants) == len(set(instants)) == rows
    assert {after - before for before, after in pairwise(instants)} == {timedelta(minutes=5)}
    assert first <= instants[0] < first + timedelta(minutes=5)
    assert_settled(place)


def test_an_hour_that_cannot_be(tmp_path: Path) -> None:
    """A clock that shows 02:30 on the night it jumps from 02:00 to 03:00 names no instant: the row is rejected."""
    day = date(2025, 3, 30)
    place = night(tmp_path, day)
    path = tmp_path / "network" / "ILAMAD25.xlsx"
    undisturbed = oracle.read_workbook(path, "ILAMAD25", "Europe/Paris")
    book = openpyxl.load_workbook(path)
    sheet = book[f"{day:%d%m%y}"]
    sheet.insert_rows(27)
    for cell, value in zip(
        sheet[27], [datetime(1900, 1, 1, 2, 30).time(), *(c.value for c in sheet[26])][:12], strict=False
    ):
        cell.value = value
    out = io.BytesIO()
    book.save(out)
    path.write_bytes(out.getvalue())
    report = place.run()
    assert (report.status, report.reports.rejected) == ("incomplete", 1)
    (rejection,) = report.rejections
    assert (rejection.sheet, rejection.row, rejection.column) == ("300325", 27, "Time")
    assert "02:30" in (rejection.value or "")
    assert "no such time in Europe/Paris" in rejection.reason
    stored = {key: value for key, value in place.record().items() if key[0] == "ILAMAD25"}
    assert oracle.differences(undisturbed, stored) == []


def test_a_gap_over_the_fold_is_an_assumption_that_is_told(tmp_path: Path) -> None:
    """Where one of the two passes of 02:xx is missing, the rows are kept, on one of them, and a warning says which."""
    day = date(2024, 10, 27)
    place = night(tmp_path, day)
    path = tmp_path / "network" / "ILAMAD25.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book[f"{day:%d%m%y}"]
    clocks = [(row, sheet.cell(row, 1).value) for row in range(3, sheet.max_row + 1)]
    second = [row for row, clock in clocks if getattr(clock, "hour", None) == 2][12:]
    assert len(second) == 12
    # The first pass ends at 02:20, then nothing until 03:00: only the first pass is there, and it breaks off.
    first_rows = [row for row, clock in clocks if getattr(clock, "hour", None) == 2][5:12]
    sheet.delete_rows(first_rows[0], len(first_rows) + len(second))
    book.save(path)
    report = place.run()
    assert report.status == "done"
    assert report.reports.rejected == 0
    told = [entry for entry in place.logs("warning") if "a gap hides the clock change" in entry.msg]
    assert len(told) == 1
    assert told[0].context["station_id"] == "ILAMAD25"
    assert told[0].context["timezone"] == "Europe/Paris"
    stored = [key for key in place.record() if key[0] == "ILAMAD25"]
    kept = [
        instant
        for _, instant in stored
        if datetime(2024, 10, 27, 0, tzinfo=UTC) <= instant < datetime(2024, 10, 27, 2, tzinfo=UTC)
    ]
    assert len(kept) == 5
