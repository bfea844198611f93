"""Reading the record: what a person sees, and what a script gets."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from barograph.faces.cli import reports
from barograph.model import Station
from barograph.query import parse_span
from barograph.simulate import SimulatedNetwork
from barograph.variables import NAMES
from tests.cli.conftest import Cli


def test_query_table(cli: Cli) -> None:
    """Local time and UTC beside each other, units in the header, and how complete the day is."""
    lines = cli("query", "IICHTE19", "2024-10-01").stdout.splitlines()
    assert lines[0] == "IICHTE19  WeerstationBS, Ichtegem  Tuesday 1 October 2024 (Europe/Brussels)"
    assert re.match(r"local time +UTC +temperature +dew_point", lines[2])
    assert re.match(r"Europe/Brussels +°C +°C +%", lines[3])
    assert re.match(r"2024-10-01 00:0\d  2024-09-30 22:0\dZ +\d", lines[4])
    assert re.match(r"\d+ reports of 288 expected \(\d+ %, one every 5 min\), 2024-10-01 00:0", lines[-1])


def test_query_utc_days(cli: Cli) -> None:
    """--utc moves the day, not the clock that is shown."""
    found = cli.json("query", "IICHTE19", "2024-10-01", "--utc")
    assert (found["from"], found["to"]) == ("2024-10-01T00:00:00Z", "2024-10-02T00:00:00Z")
    assert found["timezone"] == "Europe/Brussels"
    assert re.search(r"\n2024-10-01 02:0\d  2024-10-01 00:0\dZ", cli("query", "IICHTE19", "2024-10-01", "--utc").stdout)


def test_query_json_shape(cli: Cli) -> None:
    """Exactly the variables asked for, in the table's order, null as null."""
    found = cli.json(
        "query", "IICHTE19", "2024-10-01T06:00", "2024-10-01T07:00", "--variables", "snow_depth, temperature"
    )
    assert list(found) == ["station_id", "timezone", "from", "to", "reports"]
    assert (found["station_id"], found["from"]) == ("IICHTE19", "2024-10-01T04:00:00Z")
    assert len(found["reports"]) == 12
    for report in found["reports"]:
        assert list(report) == ["utc_time", "temperature", "snow_depth"]
        assert report["utc_time"].endswith("Z")
        assert report["snow_depth"] is None
        assert isinstance(report["temperature"], float)


def test_flags_are_shown_where_they_are(cli: Cli, network: SimulatedNetwork) -> None:
    """A value that is not possible carries its flag in JSON and a sign in the table; the others carry none."""
    fault = next(fault for fault in network.faults if fault.name == "impossible")
    assert fault.utc_time is not None
    station, day = fault.station_id, fault.utc_time.date().isoformat()
    found = cli.json("query", station, day, "--utc")["reports"]
    flagged = [report for report in found if "flags" in report]
    assert [(report["utc_time"], report["flags"]) for report in flagged] == [
        (fault.utc_time.strftime("%Y-%m-%dT%H:%M:%SZ"), {"temperature": 4})
    ]
    told = cli("query", station, day, "--utc").stdout
    assert told.count(f"{flagged[0]['temperature']}!") == 1
    assert "! 1 value not possible here (flag 4)" in told


def test_query_provenance(cli: Cli) -> None:
    """With --provenance each report names its object and line; that line is in the landing zone."""
    options = ("query", "IICHTE19", "2024-10-01T06:00", "2024-10-01T06:06", "--provenance")
    report = cli.json(*options)["reports"][0]
    source = report["provenance"]
    landed = (cli.data_dir / "landing" / source["origin"].partition("#")[0]).read_text(encoding="utf-8")
    assert "06:0" in landed.splitlines()[source["line"] - 1]
    assert source["origin"] in cli(*options).stdout


def test_nothing_found_says_what_there_is(cli: Cli) -> None:
    """An empty day is no error; stderr tells what the record has instead, and JSON stays JSON."""
    result = cli("query", "IICHTE19", "2024-09-30")
    assert result.stdout == ""
    assert result.stderr.startswith("no reports of IICHTE19 for Monday 30 September 2024 (Europe/Brussels); ")
    assert re.search(r"the record has \d+ reports, 2024-10-01 00:0\d to 2024-10-02 ", result.stderr)
    assert cli.json("query", "IICHTE19", "2024-09-30")["reports"] == []


def test_the_hour_that_comes_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """On the autumn night the zone's name tells 02:30 from 02:30."""
    times = [datetime.fromisoformat(f"2024-10-27T0{hour}:30:00+00:00") for hour in (0, 1)]
    frame = pl.DataFrame(
        {"utc_time": times, "temperature": [8.0, 7.5]}, schema_overrides={"utc_time": pl.Datetime("ms", "UTC")}
    )
    reports.show(frame, "Europe/Paris")
    told = capsys.readouterr().out
    assert "2024-10-27 02:30 CEST  2024-10-27 00:30Z" in told
    assert "2024-10-27 02:30 CET   2024-10-27 01:30Z" in told
    span = parse_span("2024-10-27", timezone="Europe/Paris")
    assert reports.summary(frame, span, "Europe/Paris").startswith("2 reports of 25 expected (8 %, one every 60 min)")
    reports.title(Station("X"), span)
    assert capsys.readouterr().out == "X  Sunday 27 October 2024 (Europe/Paris)\n"


def test_stations(cli: Cli, network: SimulatedNetwork) -> None:
    """Each station with what the record holds of it."""
    found = {item["station_id"]: item for item in cli.json("stations")}
    assert {key: item["reports"] for key, item in found.items()} == network.station_reports
    assert found["IICHTE19"]["timezone"] == "Europe/Brussels"
    assert found["IICHTE19"]["first"].startswith("2024-09-30T22:0")
    told = cli("stations").stdout
    assert re.search(r"IICHTE19 +WeerstationBS +Ichtegem +51\.092, 2\.999 +15 m +Europe/Brussels +\d+ ", told)


def test_sql(cli: Cli, network: SimulatedNetwork) -> None:
    """A table for people, a list of objects for scripts; --station and --from bound what is read."""
    question = "SELECT station_id, COUNT(*) AS n FROM reports GROUP BY station_id ORDER BY station_id"
    counts = cli.json("sql", question)
    assert {row["station_id"]: row["n"] for row in counts} == network.station_reports
    assert re.match(r"station_id +n\n00052 +\d+\n", cli("sql", question).stdout)
    rows = cli.json(
        "sql",
        "SELECT utc_time, snow_depth FROM reports ORDER BY utc_time",
        "--station",
        "07015",
        "--from",
        "2024-10-01",
    )
    assert len(rows) == 22
    assert rows[0] == {"utc_time": "2024-10-01T00:00:00Z", "snow_depth": None}


def test_export(cli: Cli, network: SimulatedNetwork, tmp_path: Path) -> None:
    """The same shape whatever is observed; to stdout or to a file whose name tells the format."""
    rows = list(csv.DictReader(cli("export").stdout.splitlines()))
    assert list(rows[0]) == ["station_id", "utc_time", *NAMES]
    assert len(rows) == network.reports
    assert rows[0]["utc_time"] == "2024-10-01T00:00:00Z"
    assert rows[0]["solar"] == ""
    result = cli("export", "--station", "IICHTE19", "--output", str(tmp_path / "one.parquet"))
    assert result.stdout == ""
    assert pl.read_parquet(tmp_path / "one.parquet").height == network.station_reports["IICHTE19"]
    cli("export", "-o", str(tmp_path / "all.json"), "--flags")
    everything = json.loads((tmp_path / "all.json").read_bytes())
    assert len(everything) == network.reports
    assert sum(report["temperature_flag"] == 4 for report in everything) == 1


def test_plot(cli: Cli, tmp_path: Path) -> None:
    """A PNG of a day."""
    pytest.importorskip("matplotlib")
    cli("plot", "IICHTE19", "2024-10-01", "--output", str(tmp_path / "day.png"), "--variables", "temperature")
    assert (tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")


def test_access_time(cli: Cli) -> None:
    """Rounds, rows, times in order, what was fetched, and the plan; SQLite has no lazy cursor and counts nothing."""
    found = cli.json("access-time", "IICHTE19", "2024-10-01", "--repeat", "5")
    assert (found["n"], found["from"]) == (5, "2024-09-30T22:00:00Z")
    assert 280 < found["rows"] <= 288
    assert 0 < found["min_ms"] <= found["median_ms"] <= found["p95_ms"]
    assert found["store"] == f"sqlite:///{cli.data_dir / 'meteo.db'}"
    assert found["fetched"]["documents"] == 2, "a local day lies on two UTC days"
    assert 0 < found["first_document_ms"]["min"] <= found["first_document_ms"]["p95"]
    plan = found["plan"]
    assert plan["stages"][0].startswith("SEARCH reports USING INDEX")
    assert (plan["keys_examined"], plan["documents_examined"], plan["refused"]) == (None, None, None)
    assert found["lazy_cursor"] is None
    shown = cli("access-time", "IICHTE19", "2024-10-01", "--repeat", "2").stdout
    assert all(text in shown for text in ("median", plan["index"], plan["query"], "examined not told", "2 documents"))
    assert "lazy" not in shown


def test_access_time_on_mongodb(cli: Cli, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and documents that the server examined, and the lazy cursor for what it is."""
    monkeypatch.setenv("BAROGRAPH_STORE", mongo_url)
    cli("ingest", code=3)
    found = cli.json("access-time", "IICHTE19", "2024-10-01", "--repeat", "5")
    assert found["plan"]["index"] == "_id_"
    assert found["plan"]["documents_examined"] == found["fetched"]["documents"] == 2
    assert found["lazy_cursor"]["documents_fetched"] == 0
    assert 0 < found["lazy_cursor"]["ms"]["min"] < found["first_document_ms"]["min"]
    shown = cli("access-time", "IICHTE19", "2024-10", "--repeat", "2").stdout
    assert "documents\n" in shown
    assert "ISODate(" in shown
    assert "with nothing fetched: no access time" in shown
