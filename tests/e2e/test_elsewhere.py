"""The same job on another landing zone and another store gives the same record, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.e2e.scenario import Place, Scene, assert_settled


def test_s3_and_mongodb(scene: Scene, s3_bucket: str, mongo_url: str) -> None:
    """`--landing s3://… --store mongodb://…`: the bytes of local files, proven; and a second run adds nothing."""
    there = Place(scene.place.config, scene.place.data_dir, landing=f"s3://{s3_bucket}/co-op", store=mongo_url)
    first = there.cli("run", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["reports"]["new"] == scene.undisturbed.counts.new
    here = Place(scene.place.config, scene.undisturbed.data_dir)
    assert there.export(flags=True) == here.export(flags=True)
    assert there.state() == here.state()
    again = json.loads(there.cli("run", "--json").stdout)
    assert again["reports"] == dict.fromkeys(again["reports"], 0)
    assert {item["status"] for item in again["connections"]} == {"unchanged"}
    assert_settled(there)


@pytest.mark.parametrize(("landing", "store"), [("s3", "sqlite"), ("files", "mongodb")])
def test_each_part_elsewhere(scene: Scene, request: pytest.FixtureRequest, landing: str, store: str) -> None:
    """Landing zone and store are independent of each other; a record is rebuilt into another engine."""
    place = replace(
        scene.place,
        landing=f"s3://{request.getfixturevalue('s3_bucket')}" if landing == "s3" else None,
        store=request.getfixturevalue("mongo_url") if store == "mongodb" else None,
    )
    assert place.run().status == "done"
    expected = place.export()
    other = f"sqlite:///{scene.folder / 'other.db'}" if store == "mongodb" else request.getfixturevalue("mongo_url")
    moved = replace(place, store=other)
    assert moved.ingest().status == "done"
    assert moved.export() == expected == Place(place.config, scene.undisturbed.data_dir).export()
    assert_settled(moved)


def test_an_object_store_that_is_not_there(scene: Scene) -> None:
    """A bucket that does not answer fails the run by name, with no traceback and no secret; the next run succeeds."""
    dead = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "AWS_REGION": "eu-west-3",
    }
    result = replace(scene.place, landing="s3://nowhere").cli("run", env=dead)
    assert result.returncode == 1
    assert "error: s3://nowhere" in result.stderr
    assert "Traceback" not in result.stderr
    assert "s3cr3t" not in result.stdout + result.stderr
    (told,) = scene.place.runs()
    assert (told["status"], told["command"]) == ("failed", "run")
    assert any("s3://nowhere" in error for error in told["errors"])
    assert [entry for entry in scene.place.logs("error") if "sync of meteo_ichtegem failed" in entry.msg]
    assert scene.place.run().status == "done"
    scene.assert_record()
