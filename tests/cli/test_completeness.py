"""`barograph completeness`: what a person sees, what a script gets, and how its words are read."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from barograph.query import CAUSES
from barograph.simulate import SimulatedNetwork
from tests.cli.conftest import Cli, call


def test_table(cli: Cli, network: SimulatedNetwork) -> None:
    """A line of sums for each station, and one for each day on which something is missing, in its local time."""
    told = cli("completeness").stdout
    lines = told.splitlines()
    assert lines[0] == "2024-10-01 to 2024-10-02, local days"
    heads = r"station +name +every +days +expected +received +share +source had none +sync failed +rejected +late"
    assert re.match(heads, lines[2])
    stations = {line.split()[0] for line in lines[3 : 3 + len(network.stations)]}
    assert stations == {station.station_id for station in network.stations}
    ichtegem = next(line for line in lines[3:] if line.startswith("IICHTE19"))
    assert re.match(r"IICHTE19 +WeerstationBS +5 min +2 +576 +\d+ +\d\d\.\d % ", ichtegem)
    assert re.search(r"\nIICHTE19 +2024-10-02 +288 +\d+ +\d\d\.\d %  .*\d\d:\d\d–00:00 source had none \(\d+\)", told)
    assert re.search(r"\d\d:\d\d–\d\d:\d\d rejected \(1\)", told)


def test_json_adds_up(cli: Cli, network: SimulatedNetwork) -> None:
    """Sums and days agree, and the rejected rows of the simulation are found as such."""
    found = cli.json("completeness")
    for sums in found["stations"]:
        days = [day for day in found["days"] if day["station_id"] == sums["station_id"]]
        assert sums["expected"] == sum(day["expected"] for day in days)
        assert sums["received"] == sum(day["received"] for day in days)
        assert sums["expected"] - sums["received"] == sum(sums["missing"].values())
        gaps = [gap for day in days for gap in day["gaps"]]
        assert {gap["cause"] for gap in gaps} <= set(CAUSES)
        assert all(gap["start"].endswith("Z") for gap in gaps)
        reports = sum(day["reports"] for day in days)
        assert reports == network.station_reports[sums["station_id"]]
    assert sum(sums["missing"]["rejected"] for sums in found["stations"]) == network.rejected


@pytest.mark.parametrize(
    ("words", "stations", "days"),
    [
        (("IICHTE19", "2024-10-01"), 1, 1),
        (("IICHTE19", "ILAMAD25", "2024-10-01", "2024-10-02"), 2, 2),
        (("2024-10",), 4, 31),
        (("00052", "2024"), 1, 366),
        (("00052",), 1, 2),
    ],
)
def test_words(cli: Cli, words: tuple[str, ...], stations: int, days: int) -> None:
    """Stations first, then up to two dates; a station's id of digits is no year."""
    found = cli.json("completeness", *words)
    assert (len(found["stations"]), len(found["days"])) == (stations, stations * days)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("2024-10-01", "IICHTE19"), "stands after a date"),
        (("2024-10-01", "2024-10-02", "2024-10-03"), "one date too many"),
        (("IICHTE19", "2024-13"), "2024-13"),
        (("2024-10-02", "2024-10-01"), "empty"),
        (("--interval", "2000"), "an interval of 2000 minutes cannot be"),
        (("--plot", "calendar.gif"), "neither .png nor .svg"),
    ],
)
def test_mistakes(cli: Cli, words: tuple[str, ...], told: str) -> None:
    """Each says what is wrong, and exits with 2."""
    assert told in cli("completeness", *words, code=2).stderr


def test_unknown_station(cli: Cli) -> None:
    """As everywhere: what it could have been."""
    assert "did you mean IICHTE19" in cli("completeness", "IICHTE91", code=1).stderr


def test_minimum(cli: Cli) -> None:
    """--min is for scripts: 3 and the stations that are below, 0 where none is."""
    told = cli("completeness", "IICHTE19", "2024-10-02", "--min", "0.99", code=3)
    assert told.stderr.strip() == "below 0.99: IICHTE19"
    cli("completeness", "IICHTE19", "2024-10-02", "--min", "0.1")


def test_interval(cli: Cli) -> None:
    """--interval stands over what the record shows: half as many reports are due, and all that came fill them."""
    (day,) = cli.json("completeness", "IICHTE19", "2024-10-01", "--interval", "10")["days"]
    assert (day["interval_minutes"], day["expected"], day["received"]) == (10.0, 144, 144)


def test_interval_of_the_configuration(own_cli: Cli) -> None:
    """[stations.ID] interval does the same; one that cannot be is refused at its line."""
    text = own_cli.config.read_text(encoding="utf-8")
    own_cli.config.write_text(text.replace("[stations.IICHTE19]", "[stations.IICHTE19]\ninterval = 60"), "utf-8")
    (day,) = own_cli.json("completeness", "IICHTE19", "2024-10-01")["days"]
    assert (day["expected"], day["received"]) == (24, 24)
    own_cli.config.write_text(text.replace("[stations.IICHTE19]", "[stations.IICHTE19]\ninterval = 0"), "utf-8")
    told = own_cli("completeness", code=2).stderr
    assert re.search(
        r"barograph\.toml:\d+: \[stations\.IICHTE19\] interval = 0 is not between 1 and 1440 minutes", told
    )


def test_pictures(cli: Cli, tmp_path: Path) -> None:
    """As the name ends: a PNG, or an SVG whose bytes are the same each time."""
    png, svg = tmp_path / "calendar.png", tmp_path / "calendar.svg"
    assert "calendar.png written" in cli("completeness", "--plot", str(png)).stderr
    assert png.read_bytes().startswith(b"\x89PNG")
    cli("completeness", "--plot", str(svg))
    first = svg.read_bytes()
    assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314 - of our own making
    cli("completeness", "--plot", str(svg))
    assert svg.read_bytes() == first
    assert "cannot be written" in cli("completeness", "--plot", str(tmp_path / "no" / "a.png"), code=2).stderr


def test_days_without_anything(cli: Cli) -> None:
    """Before there was a record nothing was expected, and that is no fault of a station's."""
    told = cli("completeness", "2020-01", "--min", "0.9").stdout
    assert "nothing was expected in these days" in told


def test_no_record_yet(tmp_path: Path) -> None:
    """Asking makes no store."""
    result = call("--data-dir", str(tmp_path / "data"), "completeness")
    assert result.exit_code == 1
    assert "there is no record yet" in result.stderr
    assert not (tmp_path / "data" / "meteo.db").exists()
