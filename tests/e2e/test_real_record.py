"""The first network's real exports, through the command line into both stores, against a reading by other means."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
import pytest
from pymongo import MongoClient

from barograph.query import Query, completeness
from barograph.wiring import opened_store
from tests.e2e import oracle
from tests.e2e.oracle import Reading
from tests.e2e.scenario import CLI, ROOT, Place, environment
from tests.support.real import REAL, requires_real

pytestmark = requires_real

REPORTS: Final = {"IICHTE19": 1899, "ILAMAD25": 1908, "00052": 361, "000R5": 361, "STATIC0010": 361, "07015": 60}


@dataclass(frozen=True)
class Accepted:
    """The place of one run of the real job, what the run reported, and the record as exported."""

    place: Place
    report: dict[str, Any]
    exported: bytes


def export(place: Place) -> bytes:
    """The record as the command line exports it."""
    result = subprocess.run(
        [*CLI, *place.arguments("export", "--format", "csv")],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=True,
    )
    return result.stdout


@pytest.fixture(scope="module", params=["sqlite", "mongodb"])
def accepted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    """One `barograph --config … --data-dir … run` into an empty store of each engine."""
    assert REAL is not None
    store = None if request.param == "sqlite" else request.getfixturevalue("replica_set").uri_of("real_record")
    place = Place(REAL / "barograph.toml", tmp_path_factory.mktemp(request.param), store=store)
    result = place.cli("run", "--json")
    assert result.returncode == 0, result.stderr
    return Accepted(place, json.loads(result.stdout), export(place))


@pytest.fixture(scope="module")
def exact() -> Reading:
    """The same files read with openpyxl, json and zoneinfo."""
    assert REAL is not None
    return oracle.read_network(REAL)


def test_every_report_is_stored(accepted: Accepted) -> None:
    """4,950 reports of 6 stations, nothing rejected, nothing doubled."""
    counts = accepted.report["reports"]
    assert counts == {"new": 4950, "changed": 0, "unchanged": 0, "rejected": 0, "duplicates": 0, "blank": 14}
    assert (accepted.report["status"], accepted.report["errors"]) == ("done", [])
    stored = oracle.read_export(accepted.exported)
    assert Counter(station for station, _ in stored) == REPORTS


def test_every_value_is_right(accepted: Accepted, exact: Reading) -> None:
    """Each of the 53,997 values is the exact one, rounded; what the source does not say is null; nothing is extra."""
    assert (len(exact), sum(map(len, exact.values()))) == (4950, 53_997)
    assert oracle.differences(exact, oracle.read_export(accepted.exported)) == []


def test_no_value_is_flagged(accepted: Accepted) -> None:
    """Odd as some of it is, nothing in the real record is physically impossible."""
    assert accepted.place.flags() == {}


def test_stations_are_described(accepted: Accepted) -> None:
    """Each station stands with its position, its licence where the feed tells it, and the span of its record."""
    stations = {station.station_id: (station, summary) for station, summary in accepted.place.state()["stations"]}
    assert {name: summary.count for name, (_, summary) in stations.items()} == REPORTS
    ichtegem, summary = stations["IICHTE19"]
    assert (ichtegem.name, ichtegem.city, ichtegem.elevation) == ("WeerstationBS", "Ichtegem", 15)
    assert (summary.first, summary.last) == (
        datetime(2024, 9, 30, 22, 4, tzinfo=UTC),
        datetime(2024, 10, 7, 12, 49, tzinfo=UTC),
    )
    lesquin, _ = stations["07015"]
    assert (lesquin.name, lesquin.latitude, lesquin.longitude, lesquin.type) == (
        "Lille-Lesquin",
        50.575,
        3.092,
        "synop",
    )
    assert lesquin.license_info is not None
    assert "Etalab Open License" in lesquin.license_info


def test_a_day_is_the_stations_day(accepted: Accepted) -> None:
    """IICHTE19 tells its local days from UTC days."""
    found = {}
    with opened_store(accepted.place.settings) as store:
        query = Query(store)
        for day in ("2024-09-30", "2024-10-01", "2024-10-07"):
            spans = [query.span("IICHTE19", day, utc=utc) for utc in (False, True)]
            found[day] = tuple(query.reports("IICHTE19", span).height for span in spans)
    assert found == {"2024-09-30": (0, 24), "2024-10-01": (288, 288), "2024-10-07": (178, 154)}


def test_a_day_on_the_command_line(accepted: Accepted) -> None:
    """`query STATION DATE` takes the station's day, `--utc` the UTC day."""
    found = []
    for words in ((), ("--utc",)):
        result = accepted.place.cli("query", "IICHTE19", "2024-10-07", *words, "--json")
        assert result.returncode == 0, result.stderr
        found.append(len(json.loads(result.stdout)["reports"]))
    assert found == [178, 154]


def test_what_is_missing(accepted: Accepted) -> None:
    """IICHTE19's three outages (24, 27 and 8 minutes), and the afternoon after the feeds end; nothing else."""
    with opened_store(accepted.place.settings) as store:
        frame = completeness(store, first="2024-10-01", last="2024-10-07")
    found = {
        (row["station_id"], row["day"].day): (row["expected"], row["received"], [g["expected"] for g in row["gaps"]])
        for row in frame.iter_rows(named=True)
        if row["gaps"]
    }
    assert found == {
        ("IICHTE19", 2): (288, 284, [4]),
        ("IICHTE19", 3): (288, 283, [4, 1]),
        ("IICHTE19", 7): (288, 178, [110]),
        ("ILAMAD25", 7): (288, 180, [108]),
        ("00052", 7): (144, 85, [59]),
        ("000R5", 7): (144, 85, [59]),
        ("STATIC0010", 7): (144, 85, [59]),
        ("07015", 7): (24, 14, [10]),
    }
    assert {gap["cause"] for gaps in frame.get_column("gaps") for gap in gaps} == {"source had none"}
    assert frame.group_by("station_id").agg(pl.col("reports").sum()).sort("station_id").rows() == sorted(
        REPORTS.items()
    )


def test_a_second_run_changes_nothing(accepted: Accepted) -> None:
    """0 new, 0 changed, the same bytes, no new object in the landing zone; and so when every object is read anew."""
    landed = accepted.place.landed()
    result = accepted.place.cli("run", "--json")
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout)["reports"]
    assert (counts["new"], counts["changed"]) == (0, 0)
    assert accepted.place.landed() == landed
    assert export(accepted.place) == accepted.exported


def test_the_record_is_proven_and_can_be_rebuilt(accepted: Accepted) -> None:
    """`verify` compares every value with the landing zone, and `rebuild` makes the same bytes from it."""
    proof = accepted.place.cli("verify", "--json")
    assert proof.returncode == 0, proof.stderr
    assert {"proven": True, "reports": 4950, "values": 53_997, "total": 0, "unproven": 0}.items() <= json.loads(
        proof.stdout
    ).items()
    rebuilt = accepted.place.cli("rebuild", "--yes", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert json.loads(rebuilt.stdout)["reports"]["new"] == 4950
    assert export(accepted.place) == accepted.exported


def test_documents_are_open(accepted: Accepted, exact: Reading) -> None:
    """In MongoDB the day documents themselves, read with nothing but a driver, hold the right values."""
    if accepted.place.store is None:
        pytest.skip("SQLite holds a binary form")
    stored: oracle.Stored = {}
    with MongoClient[dict[str, Any]](accepted.place.store, tz_aware=True, tzinfo=UTC) as client:
        for document in client.get_default_database()["reports"].find():
            columns = document["reports"]
            for place, instant in enumerate(columns["utc_time"]):
                values = {name: cells[place] for name, cells in columns.items() if name != "utc_time"}
                stored[document["station_id"], instant] = {
                    name: value if isinstance(value, str) else float(value)
                    for name, value in values.items()
                    if value is not None
                }
    assert oracle.differences(exact, stored) == []
