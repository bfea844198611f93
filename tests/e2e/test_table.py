"""Tables of sources that no other kind covers, from the file, server or bucket to a proven record."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import obstore
import pytest
from obstore.store import S3Store

from tests.e2e.scenario import Place, assert_settled
from tests.formats.workbooks import workbook
from tests.support.http_server import HttpServer, Reply, json_text

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2024, 10, 26, 20, tzinfo=UTC)
"""The evening before the clock of Paris went back, at 01:00 UTC."""

COLUMNS = """
[connections.cape.columns]
time = { column = ["Jour", "Heure"], format = "%d/%m/%Y %H:%M", timezone = "Europe/Paris" }
temperature = { column = "T air", unit = "°F" }
pressure = { column = "P", unit = "inHg" }
wind_direction = "Vent"
missing = ["-", "-999"]
decimal = ","
"""


def configured(folder: Path, connection: str, columns: str = COLUMNS, head: str = "") -> Place:
    config = folder / "barograph.toml"
    text = head or '[stations.CAPE]\nname = "Cape"\ntimezone = "Europe/Paris"\n'
    config.write_text(f'{text}[connections.cape]\nsource = "table"\n{connection}\n{columns}', encoding="utf-8")
    return Place(config, folder / "data")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table as a cell of each column, and the report that it must become."""

    instant: datetime
    fahrenheit: float = 50.0
    wind: str = "WSW"

    @property
    def cells(self) -> dict[str, str]:
        local = self.instant.astimezone(PARIS)
        day, clock = local.strftime("%d/%m/%Y"), local.strftime("%H:%M")
        temperature = f"{self.fahrenheit:.1f}".replace(".", ",")
        return {"Jour": day, "Heure": clock, "T air": temperature, "P": "29,92", "Vent": self.wind}

    @property
    def report(self) -> tuple[str, float, float, str]:
        celsius = round((self.fahrenheit - 32) / 1.8, 2)
        return self.instant.strftime("%Y-%m-%dT%H:%M:%SZ"), celsius, 1013.21, self.wind


def night(count: int = 60) -> list[Row]:
    return [Row(START + timedelta(minutes=10 * step), 50 + step / 10) for step in range(count)]


def semicolons(rows: Iterable[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer: csv.DictWriter[str] = csv.DictWriter(text, ["Jour", "Heure", "T air", "P", "Vent"], delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def stored(place: Place) -> list[tuple[str, float, float, str]]:
    rows = csv.DictReader(io.StringIO(place.export().decode()))
    return [(r["utc_time"], float(r["temperature"]), float(r["pressure"]), r["wind_direction"]) for r in rows]


def expected(rows: Iterable[Row]) -> list[tuple[str, float, float, str]]:
    return sorted(row.report for row in rows)


def test_local_times_over_the_night_of_the_clock(tmp_path: Path) -> None:
    """A CSV with semicolons, decimal commas and local times: both passes of the repeated hour are in the record."""
    place = configured(tmp_path, 'url = "cape.csv"\nstation = "CAPE"')
    (tmp_path / "cape.csv").write_bytes(semicolons(row.cells for row in night()))
    report = place.run()
    assert (report.status, report.reports.new, report.rejections) == ("done", 60, ())
    assert stored(place) == expected(night())
    assert_settled(place)


def test_a_source_that_grows_shrinks_and_is_reordered(tmp_path: Path) -> None:
    """Each full refresh is landed; nothing is lost where the source lost it, and nothing is there twice."""
    place = configured(tmp_path, 'url = "cape.csv"\nstation = "CAPE"')
    rows = [Row(START + timedelta(days=3, minutes=10 * step), 50 + step / 10) for step in range(60)]
    for part in (rows[:20], rows, rows[30:], random.Random(1).sample(rows, 60), rows):
        (tmp_path / "cape.csv").write_bytes(semicolons(row.cells for row in part))
        assert place.run().status == "done"
    assert stored(place) == expected(rows)
    changed = [*rows[:10], Row(rows[10].instant, 70.0), *rows[11:]]
    (tmp_path / "cape.csv").write_bytes(semicolons(row.cells for row in changed))
    assert place.run().reports.changed == 1
    assert stored(place) == expected(changed)
    same = place.run()
    assert [sync.status for sync in same.connections] == ["unchanged"]
    assert_settled(place)


BAD = (
    ({"T air": "warm"}, "T air", "warm"),
    ({"P": "30 psi"}, "P", "30 psi"),
    ({"Vent": "up"}, "Vent", "up"),
    ({"Jour": "31/02/2024"}, "Jour", "31/02/2024 22:50"),
    ({"Heure": ""}, "Heure", None),
)


@pytest.mark.parametrize(("cell", "column", "value"), BAD)
def test_one_bad_row(tmp_path: Path, cell: dict[str, str], column: str, value: str | None) -> None:
    """It alone is missing, and the rejection names the line of the source, the column and what stands there."""
    place = configured(tmp_path, 'url = "cape.csv"\nstation = "CAPE"')
    rows = night(20)
    cells = [row.cells for row in rows]
    cells[5] |= cell
    (tmp_path / "cape.csv").write_bytes(semicolons(cells))
    report = place.run()
    (rejection,) = report.rejections
    assert (rejection.row, rejection.column, rejection.value) == (7, column, value)
    assert stored(place) == expected([*rows[:5], *rows[6:]])
    assert_settled(place)


@pytest.mark.parametrize("landed", ['format = "csv"', 'compression = "gzip"', 'format = "csv"\ncompression = "gzip"'])
def test_a_line_that_is_cut(tmp_path: Path, landed: str) -> None:
    """The file was copied while it was written: the last line is refused, and the next sync has it."""
    place = configured(tmp_path, f'url = "cape.csv"\nstation = "CAPE"\n{landed}')
    data = semicolons(row.cells for row in night(20))
    (tmp_path / "cape.csv").write_bytes(data[:-9])
    (rejection,) = place.run().rejections
    assert (rejection.row, rejection.reason) == (21, "the source's line has 4 cells instead of 5")
    (tmp_path / "cape.csv").write_bytes(data)
    assert place.run().reports.new == 1
    assert stored(place) == expected(night(20))


def test_a_workbook(tmp_path: Path) -> None:
    """Real dates and numbers in the cells; an invalid one is named by sheet and row."""
    columns = """
[connections.cape.columns]
time = { column = "When", timezone = "UTC" }
temperature = "T"
"""
    place = configured(tmp_path, 'url = "cape.xlsx"\nstation = "CAPE"', columns)
    rows: list[Sequence[Any]] = [[datetime(2024, 10, 1, 0, 10 * step), step / 2] for step in range(6)]
    rows[3] = [rows[3][0], "#?"]
    (tmp_path / "cape.xlsx").write_bytes(workbook({"Logger": [["When", "T"], *rows]}))
    report = place.run()
    assert report.reports.new == 5
    (rejection,) = report.rejections
    assert (rejection.sheet, rejection.row, rejection.column, rejection.value) == ("Logger", 5, "T", "#?")
    assert_settled(place)


def test_a_server_with_a_token(tmp_path: Path, http_server: HttpServer) -> None:
    """JSON with nested values from a server that wants a header; the secret is in no file, store or output."""
    columns = """
[connections.cape.columns]
time = { column = "at", format = "epoch_s" }
temperature = { column = "metric.temp", unit = "°F" }
wind_direction_deg = { column = "wind.0.dir" }
"""
    link = http_server.on("/v1", Reply(b"busy", status=503), json_text(json.dumps({"data": {"obs": observations()}})))
    connection = f'url = "{link}?key=${{TOKEN}}"\nstation = "CAPE"\nrecords = "data.obs"\n'
    connection += 'headers = { Authorization = "Bearer ${TOKEN}" }'
    place = configured(tmp_path, connection, columns)
    refused = place.cli("run")
    assert refused.returncode == 1, refused.stderr
    assert "the environment variable TOKEN is not set" in refused.stderr + refused.stdout
    done = place.cli("run", "--json", env={"TOKEN": "s3cret-token"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reports"]["new"] == 3
    assert http_server.requests_to("/v1")[-1].headers["authorization"] == "Bearer s3cret-token"
    (first, *_) = csv.DictReader(io.StringIO(place.export().decode()))
    assert (first["utc_time"], first["temperature"], first["wind_direction"]) == ("2024-10-01T00:00:00Z", "10.0", "W")
    places = [place.data_dir, place.config]
    files = [path for each in places for path in ([each] if each.is_file() else each.rglob("*")) if path.is_file()]
    assert not [path for path in files if b"s3cret-token" in path.read_bytes()]
    assert "s3cret-token" not in done.stdout + done.stderr


def observations() -> list[dict[str, Any]]:
    return [
        {"at": 1727740800 + 300 * step, "metric": {"temp": 50 + step, "x": None}, "wind": [{"dir": 270}]}
        for step in range(3)
    ]


def test_an_object_in_a_bucket(tmp_path: Path, s3_bucket: str) -> None:
    """A gzipped table in S3; a new version of the object is a new generation."""
    place = configured(tmp_path, f'url = "s3://{s3_bucket}/exports/cape.csv.gz"\nstation = "CAPE"')
    store = S3Store(s3_bucket, client_options={"allow_http": True})
    for count in (20, 60):
        obstore.put(store, "exports/cape.csv.gz", gzip.compress(semicolons(row.cells for row in night(count))))
        assert place.run().status == "done"
    assert stored(place) == expected(night())
    assert_settled(place)


def test_a_thousand_stations_in_one_table(tmp_path: Path) -> None:
    """Every row names its station, which the table describes, licence included; one bad row costs one."""
    columns = """
station_column = "id"
station_prefix = "NET-"
license_info = "CC BY 4.0, the network"
[connections.cape.columns]
time = { column = "t", timezone = "Europe/Paris" }
temperature = "T"
humidity = { column = "RH", unit = "1" }
[connections.cape.station_columns]
name = "name"
latitude = "lat"
longitude = "lon"
"""
    place = configured(tmp_path, 'url = "net.jsonl"', columns, head="\n")
    names = [f"{number:04}" for number in range(1000)]
    lines = []
    for step in range(12):
        local = (START + timedelta(minutes=60 * step)).astimezone(PARIS).strftime("%Y-%m-%d %H:%M:%S")
        lines += [
            {"id": name, "t": local, "T": step / 2, "RH": 0.5, "name": f"S {name}", "lat": 50 + step % 1, "lon": "2.5"}
            for name in names
        ]
    lines[777]["T"] = "?"
    (tmp_path / "net.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    report = place.run()
    assert (report.reports.new, report.reports.rejected) == (11_999, 1)
    (rejection,) = report.rejections
    assert (rejection.station_id, rejection.column, rejection.value) == ("NET-0777", "T", "?")
    hours = {f"{START + timedelta(hours=step):%Y-%m-%dT%H:%M:%SZ}" for step in range(12)}
    rows = list(csv.DictReader(io.StringIO(place.export().decode())))
    assert {row["utc_time"] for row in rows} == hours
    assert len({row["station_id"] for row in rows}) == 1000
    assert {row["humidity"] for row in rows} == {"50"}
    stations = place.state()["stations"]
    station = next(station for station, _ in stations if station.station_id == "NET-0042")
    assert (station.name, station.latitude, station.license_info) == ("S 0042", 50.0, "CC BY 4.0, the network")
    assert_settled(place)
