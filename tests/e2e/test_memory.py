"""Memory does not grow with the input: large objects and long lines are ingested within 500 MB."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from tests.e2e.scenario import ROOT, Place, environment

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")

LIMIT_MB: Final = 500
DAYS: Final = 2090
STATIONS: Final = 8
LANDED: Final = "2024_10_08_1728345600000_0"
EXTRACTED: Final = 1728345600000
CONFIG: Final = """
[stations.BIG]
timezone = "Europe/Paris"
[connections.table]
source = "wunderground-table"
url = "nowhere.xlsx"
station = "BIG"
[connections.answer]
source = "infoclimat"
url = "answer.json"
"""


def measured(place: Place, *words: str) -> tuple[dict[str, int], float]:
    """What a command counted, and its peak of resident memory in MB."""
    command = [sys.executable, "-m", "tests.e2e.measured", *place.arguments(*words, "--json")]
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    match = re.search(r"peak (\d+) KiB", result.stderr)
    assert match is not None
    return json.loads(result.stdout)["reports"], int(match[1]) * 1024 / 1e6


@pytest.fixture
def place(tmp_path: Path) -> Place:
    config = tmp_path / "barograph.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return Place(config, tmp_path / "data")


def table_day() -> str:
    """A winter day of 288 rows as JSON lines, with a mark where the date goes."""
    lines = []
    for minute in range(0, 1440, 5):
        data = {
            "Time": f"{minute // 60:02}:{minute % 60:02}:00",
            "Temperature": f"{40 + minute % 97 / 10:.1f}\u00a0°F",
            "Dew Point": f"{30 + minute % 89 / 10:.1f}\u00a0°F",
            "Humidity": f"{50 + minute % 41}\u00a0%",
            "Wind": "WSW",
            "Speed": "8.2\u00a0mph",
            "Gust": "10.4\u00a0mph",
            "Pressure": "29.48\u00a0in",
            "Precip. Rate.": "0.00\u00a0in",
            "Precip. Accum.": "0.00\u00a0in",
            "UV": 0,
            "Solar": "0\u00a0w/m²",
            "Date": "@",
        }
        lines.append(
            f'{{"_airbyte_raw_id":"019a1839-a420-7813-bae0-9580a65e0cba","_airbyte_extracted_at":{EXTRACTED},'
            f'"_airbyte_meta":{{"sync_id":10,"changes":[]}},"_airbyte_generation_id":1,'
            f'"_airbyte_data":{json.dumps(data, ensure_ascii=False, separators=(",", ":"))}}}\n'
        )
    return "".join(lines)


def winter_days(number: int) -> Iterator[date]:
    """Days of Januaries and Februaries: none on which the clock is changed."""
    day = date(1980, 1, 1)
    for _ in range(number):
        yield day
        day += timedelta(days=1)
        day = date(day.year + 1, 1, 1) if day.month > 2 else day


def answer_lines(number: int) -> Iterator[str]:
    """An answer of eight stations without a line end, more than `number` bytes long."""
    names = [f"B{index:04}" for index in range(STATIONS)]
    head = {
        "status": "OK",
        "errors": [],
        "stations": [{"id": name, "name": name, "latitude": 50.5, "longitude": 2.5} for name in names],
    }
    yield json.dumps(head)[:-1] + ',"hourly":{'
    fields = {
        "temperature": "12.5",
        "pression": "1019.1",
        "point_de_rosee": "5.6",
        "vent_moyen": "3.2",
        "pluie_1h": "0",
    }
    nulls = dict.fromkeys(("vent_rafales", "pluie_3h"))
    rows = [
        {"id_station": "#", "dh_utc": f"@ {minute // 60:02}:{minute % 60:02}:00", **fields, **nulls,
         "humidite": str(50 + minute % 41), "vent_direction": str(minute % 360)}
        for minute in range(0, 1440, 10)
    ]  # fmt: skip
    day = json.dumps(rows)[1:-1]
    days = number // len(day) // STATIONS + 1
    for place, name in enumerate(names):
        yield f'{"," if place else ""}"{name}":['
        for index, instant in enumerate(winter_days(days)):
            yield ("," if index else "") + day.replace("#", name).replace("@", instant.isoformat())
        yield "]"
    yield "}}"


def test_a_landed_object_of_600_000_reports(place: Place) -> None:
    """One JSONL object of 250 MB and 600,000 reports."""
    path = place.landing_folder / "table" / f"{LANDED}.jsonl"
    path.parent.mkdir(parents=True)
    day = table_day()
    with path.open("w", encoding="utf-8") as file:
        file.writelines(day.replace("@", instant.isoformat()) for instant in winter_days(DAYS))
    assert path.stat().st_size > 200e6
    counts, peak = measured(place, "ingest")
    path.unlink()
    assert counts["new"] == DAYS * 288 > 600_000
    assert peak < LIMIT_MB


def test_a_parquet_object_of_600_000_reports(place: Place) -> None:
    """The same reports in one Parquet object, three years of the station in each row group."""
    path = place.landing_folder / "table" / f"{LANDED}.parquet"
    path.parent.mkdir(parents=True)
    rows = [json.loads(line) for line in table_day().splitlines()]
    day = pl.DataFrame([row | row["_airbyte_data"] for row in rows]).drop("Date", "_airbyte_data")
    pl.DataFrame({"Date": list(winter_days(DAYS))}).join(day, how="cross").rename(
        {name: re.sub(r"\W", "_", name) for name in day.columns}
    ).write_parquet(path, row_group_size=3 * 365 * 288)
    counts, peak = measured(place, "ingest")
    assert counts["new"] == DAYS * 288 > 600_000
    assert peak < LIMIT_MB


def test_an_answer_of_more_than_100_mb_in_one_line(place: Place) -> None:
    """An Infoclimat answer in one line: fetched, landed, stored; and again as the one line that Airbyte lands."""
    source = place.config.with_name("answer.json")
    with source.open("w", encoding="ascii") as file:
        file.writelines(answer_lines(105_000_000))
    assert source.stat().st_size > 100e6
    counts, peak = measured(place, "run", "answer")
    assert counts["new"] == counts["new"] // 144 * 144 > 300_000
    assert peak < LIMIT_MB
    landed = place.landing_folder / "answer" / "2030_01_01_1893456000000_0.jsonl"
    with source.open("rb") as body, landed.open("wb") as file:
        file.write(b'{"_airbyte_extracted_at":1893456000000,"_airbyte_data":')
        while chunk := body.read(1 << 22):
            file.write(chunk)
        file.write(b"}\n")
    source.unlink()
    again, peak = measured(place, "ingest")
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, counts["new"])
    assert peak < LIMIT_MB
