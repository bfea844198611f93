"""The written files have the form of the real exports."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest

from barograph.config import load
from barograph.simulate import SimulatedNetwork, simulate
from tests.simulate import reading

HEADER = [
    "Time", "Temperature", "Dew Point", "Humidity", "Wind", "Speed", "Gust", "Pressure", "Precip. Rate.",
    "Precip. Accum.", "UV", "Solar",
]  # fmt: skip
CELLS = {
    "Temperature": r"-?\d+\.\d\u00a0°F",
    "Dew Point": r"-?\d+\.\d\u00a0°F",
    "Humidity": r"\d+\u00a0%",
    "Wind": r"North|East|South|West|[NS][EW]|[NS][NS][EW]|[EW][NS][EW]",
    "Speed": r"\d+\.\d\u00a0mph",
    "Gust": r"\d+\.\d\u00a0mph",
    "Pressure": r"\d+\.\d\d\u00a0in",
    "Precip. Rate.": r"\d+\.\d\d\u00a0in",
    "Precip. Accum.": r"\d+\.\d\d\u00a0in",
    "Solar": r"0\u00a0w/m²|[1-9]\d*\u00a0w/m²|\d+\.[1-9]\u00a0w/m²",
}


def test_workbook_has_a_sheet_per_local_day(week: SimulatedNetwork) -> None:
    """Sheets are titled DDMMYY, row 1 is the header, row 2 is empty, and the last day ends in the afternoon."""
    book = openpyxl.load_workbook(week.out_dir / "ILAMAD25.xlsx")
    assert book.sheetnames == [f"{day:02d}1024" for day in range(1, 8)]
    for sheet in book.worksheets:
        rows = list(sheet.iter_rows(values_only=True))
        assert list(rows[0]) == HEADER
        assert set(rows[1]) == {None}
        assert rows[2][0] == time(0, 4)
        assert rows[-1][0] == (time(14, 59) if sheet.title == "071024" else time(23, 59))
    assert [sheet.max_row - 2 for sheet in book.worksheets] == [288] * 6 + [180]


def test_workbook_cells_look_like_the_real_ones(week: SimulatedNetwork) -> None:
    """Time is a time of day, UV a whole number, Wind a word or nothing, everything else text with a no-break space."""
    empty_winds = 0
    for page in reading.workbook(week.out_dir / "ILAMAD25.xlsx"):
        for _, row in page.rows:
            cells = dict(zip(page.header, row, strict=True))
            assert isinstance(cells.pop("Time"), time)
            assert isinstance(cells.pop("UV"), int)
            if cells["Wind"] is None:
                empty_winds += 1
                assert cells.pop("Gust") == "0.0\u00a0mph"
                del cells["Wind"]
            for name, cell in cells.items():
                assert isinstance(cell, str)
                assert re.fullmatch(CELLS[name], cell), (name, cell)
    assert empty_winds > 0


def test_outages_leave_some_minutes_out(week: SimulatedNetwork) -> None:
    """One personal station loses a few reports now and then, never more than half an hour."""
    lost = {page.title: 288 - len(page.rows) for page in reading.workbook(week.out_dir / "IICHTE19.xlsx")[:-1]}
    assert 1 <= sum(lost.values()) <= 15
    assert max(lost.values()) <= 6


def test_csv_table_holds_the_same_cells(week: SimulatedNetwork, tmp_path: Path) -> None:
    """As CSV the table has a Date column before Time, and cell for cell the same text."""
    simulate(tmp_path, table_format="csv")
    (page,) = reading.table(tmp_path / "ILAMAD25.csv")
    assert page.header == ["Date", *HEADER]
    expected = [
        [datetime.strptime(sheet.title or "", "%d%m%y").date().isoformat(), *row]  # noqa: DTZ007 - a date only
        for sheet in reading.workbook(week.out_dir / "ILAMAD25.xlsx")
        for _, row in sheet.rows
    ]
    assert [list(row) for _, row in page.rows] == [
        [None if cell is None else str(cell) for cell in row] for row in expected
    ]


def test_answer_is_printed_as_php_prints_it(week: SimulatedNetwork) -> None:
    """Indent, escapes and slashes are those of the real file (json.dumps with escaped slashes reproduces that one)."""
    text = (week.out_dir / "infoclimat.json").read_text(encoding="ascii")
    assert json.dumps(json.loads(text), indent=4).replace("/", "\\/") == text
    assert "Armenti\\u00e8res" in text


def test_answer_has_the_real_structure(week: SimulatedNetwork) -> None:
    """Stations with licences, metadata, `_params`; values are text, null or empty; the licence says simulated."""
    answer = json.loads((week.out_dir / "infoclimat.json").read_text(encoding="ascii"))
    assert list(answer) == ["status", "errors", "data", "stations", "metadata", "hourly"]
    assert [station["id"] for station in answer["stations"]] == ["00052", "000R5", "07015", "STATIC0010"]
    for station in answer["stations"]:
        assert list(station) == ["id", "name", "latitude", "longitude", "elevation", "type", "license"]
        assert list(station["license"]) == ["license", "url", "source", "metadonnees"]
        assert station["license"]["source"] == "simulated by barograph"
    assert list(answer["hourly"]) == ["07015", "00052", "000R5", "STATIC0010", "_params"]
    assert all(isinstance(name, str) for name in answer["hourly"].pop("_params"))
    synop = answer["hourly"]["07015"]
    assert {"visibilite", "neige_au_sol", "nebulosite", "temps_omm"} <= set(synop[0])
    assert {row["nebulosite"] for row in synop} > {""}
    for station, rows in answer["hourly"].items():
        for row in rows:
            assert all(value is None or isinstance(value, str) for value in row.values())
            assert row["id_station"] == station
            if station != "07015":
                assert row["vent_rafales"] is None
                assert "visibilite" not in row


def test_answer_is_ten_minutely_and_synop_hourly(week: SimulatedNetwork) -> None:
    """Static stations report every 10 minutes, the synop every hour; rain of 1 and 3 hours only at its hours."""
    hourly = json.loads((week.out_dir / "infoclimat.json").read_text(encoding="ascii"))["hourly"]
    assert len(hourly["STATIC0010"]) == 6 * 144 + 73
    assert len(hourly["07015"]) == 6 * 24 + 12
    assert hourly["STATIC0010"][-1]["dh_utc"] == "2024-10-07 12:00:00"
    for station in ("00052", "07015"):
        for row in hourly[station]:
            on_hour, hour = row["dh_utc"].endswith(":00:00"), int(row["dh_utc"][11:13])
            assert (row["pluie_1h"] is not None) == on_hour
            assert (row["pluie_3h"] is not None) == (on_hour and hour % 3 == 0)


@pytest.mark.parametrize("table_format", ["xlsx", "csv"])
def test_config_is_accepted_and_connects_every_file(tmp_path: Path, table_format: str) -> None:
    """barograph.config takes the written file; each personal station and the answer have a connection of their own."""
    network = simulate(tmp_path, days=1, stations=9, table_format=table_format)  # type: ignore[arg-type]
    settings = load(network.config, environ={})
    personal = [station for station in network.stations if station.timezone]
    assert [station.station_id for station in personal] == ["IICHTE19", "ILAMAD25", "ISIMUL01", "ISIMUL03"]
    assert set(settings.stations) == {station.station_id for station in personal}
    assert settings.stations["IICHTE19"].timezone == "Europe/Brussels"
    assert sorted(connection.url for connection in settings.connections.values()) == sorted(map(str, network.files))
    assert len(settings.connections) == len(personal) + 1
    assert all(Path(connection.url).is_file() for connection in settings.connections.values())


def test_network_without_listed_stations_has_no_answer(tmp_path: Path) -> None:
    """One station alone is a personal one: no Infoclimat file and no connection for it."""
    network = simulate(tmp_path, days=1, stations=1, start=date(2024, 10, 2))
    assert [path.name for path in network.files] == ["IICHTE19.xlsx"]
    assert list(load(network.config, environ={}).connections) == ["meteo_ichtegem"]
