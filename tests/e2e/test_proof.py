"""`verify` proves a good store and finds every tampered one; `rebuild` mends it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from pymongo import MongoClient

from barograph.pipeline import VerifyReport
from barograph.store.base import DayKey, StationDay
from barograph.wiring import opened_job
from tests.e2e.scenario import Place, Scene

KEY = DayKey("00052", datetime(2024, 10, 1, tzinfo=UTC).date())
AT = 30
INSTANT = datetime(2024, 10, 1, 5, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "mongodb"])
def stored(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A network, stored; whatever a test does to it, a rebuild mends."""
    store = request.getfixturevalue("mongo_url") if request.param == "mongodb" else None
    scene = Scene(scene.undisturbed, replace(scene.place, store=store))
    assert scene.place.run().status == "done"
    yield scene
    assert scene.place.rebuild().status == "done"
    assert scene.place.record() == scene.undisturbed.record


def tamper(place: Place, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change a day behind the job's back."""
    with opened_job(place.settings) as job:
        day = job.store.load_days([KEY])[KEY]
        assert job.store.save_days([StationDay(KEY, day.revision, change(day.frame), day.sources)]) == set()


def the_difference(proof: VerifyReport) -> tuple[str, str, datetime, str | None, Any, Any]:
    assert not proof.proven
    (found,) = proof.differences
    assert proof.total == 1
    return (found.kind, found.station_id, found.utc_time, found.variable, found.stored, found.landed)


def test_a_good_store_is_proven(stored: Scene) -> None:
    """Every report and every value of an untouched store follows from the landing zone."""
    proof = stored.place.verify()
    record = stored.undisturbed.record
    assert (proof.proven, proof.total, proof.unproven, proof.differences) == (True, 0, 0, ())
    assert (proof.reports, proof.values) == (len(record), sum(map(len, record.values())))


def test_a_tampered_value_is_found(stored: Scene) -> None:
    """One value among thousands that is a hundredth off."""
    right = stored.undisturbed.record["00052", INSTANT]["temperature"]
    wrong = round(float(right) + 0.01, 2)
    here = pl.col("utc_time") == INSTANT
    tamper(
        stored.place,
        lambda frame: frame.with_columns(pl.when(here).then(wrong).otherwise("temperature").alias("temperature")),
    )
    assert the_difference(stored.place.verify()) == ("different", "00052", INSTANT, "temperature", wrong, right)


def test_an_invented_value_is_found(stored: Scene) -> None:
    """A number where the source is silent."""
    here = pl.col("utc_time") == INSTANT
    tamper(stored.place, lambda frame: frame.with_columns(pl.when(here).then(3.5).alias("uv")))
    assert the_difference(stored.place.verify()) == ("different", "00052", INSTANT, "uv", 3.5, None)


def test_a_deleted_report_is_found(stored: Scene) -> None:
    """A report that was landed and is not stored."""
    tamper(stored.place, lambda frame: frame.filter(pl.col("utc_time") != INSTANT))
    assert the_difference(stored.place.verify())[:3] == ("missing", "00052", INSTANT)


def test_an_added_report_is_found(stored: Scene) -> None:
    """A report that nobody has landed."""
    soon = INSTANT + timedelta(minutes=1)

    def add(frame: pl.DataFrame) -> pl.DataFrame:
        twin = frame.filter(pl.col("utc_time") == INSTANT)
        moved = twin.with_columns((pl.col("utc_time") + pl.duration(minutes=1)).alias("utc_time"))
        return pl.concat([frame, moved]).sort("utc_time")

    tamper(stored.place, add)
    assert the_difference(stored.place.verify())[:3] == ("extra", "00052", soon)


def test_a_deleted_day_is_found(stored: Scene) -> None:
    """A whole station-day that somebody removed from the database with its own tools; the command line exits 1."""
    if stored.place.store is None:
        with sqlite3.connect(stored.place.data_dir / "meteo.db") as database:
            gone = database.execute("DELETE FROM reports WHERE station_id = '00052' AND day = '2024-10-01'").rowcount
        database.close()
    else:
        with MongoClient[dict[str, Any]](stored.place.store) as client:
            gone = client.get_default_database()["reports"].delete_one({"_id": str(KEY)}).deleted_count
    assert gone == 1
    result = stored.place.cli("verify", "--json")
    assert result.returncode == 1
    proof = json.loads(result.stdout)
    assert (proof["proven"], proof["total"]) == (False, 144)
    assert {item["kind"] for item in proof["differences"]} == {"missing"}


def test_a_lost_object_is_told_apart(stored: Scene) -> None:
    """Reports whose object has left the landing zone are neither proven nor refuted, and counted."""
    path = stored.landed("ichtegem")
    data = path.read_bytes()
    path.unlink()
    proof = stored.place.verify()
    assert (proof.proven, proof.total, proof.unproven) == (True, 0, len(stored.of("IICHTE19")))
    path.write_bytes(data)


def test_verify_changes_nothing(stored: Scene) -> None:
    """A proof leaves store and landing zone as they were, also when it fails."""
    tamper(stored.place, lambda frame: frame.filter(pl.col("utc_time") != INSTANT))
    before, landed = stored.place.state(), stored.place.landed()
    assert not stored.place.verify().proven
    assert stored.place.state() == before
    assert stored.place.landed() == landed
