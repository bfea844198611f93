"""Whole jobs on a stand-in for DocumentDB 5.0: the record of SQLite, byte for byte, with nothing that 5.0 lacks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from tests.e2e.scenario import Place, Scene, assert_settled
from tests.support.documentdb_server import DocumentDBServer
from tests.support.replica_set import ReplicaSet


@pytest.fixture
def there(scene: Scene, documentdb_server: DocumentDBServer, replica_set: ReplicaSet) -> Iterator[Place]:
    """The network with its store behind the stand-in, under a URI as AWS gives it for a cluster."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield replace(scene.place, store=documentdb_server.cluster_uri_of(name))
    replica_set.drop(name)


def test_the_record_is_the_same(scene: Scene, there: Place, replica_set: ReplicaSet) -> None:
    """run, verify, query, rebuild and a second run, each in a process of its own; and no warning on the way."""
    first = there.cli("run", "--json")
    assert first.returncode == 0, first.stderr
    assert "validator" not in first.stderr
    assert json.loads(first.stdout)["reports"]["new"] == scene.undisturbed.counts.new
    here = Place(scene.place.config, scene.undisturbed.data_dir)
    assert there.export(flags=True) == here.export(flags=True)
    assert there.state() == here.state()

    proof = json.loads(there.cli("verify", "--json").stdout)
    assert (proof["proven"], proof["total"], proof["reports"]) == (True, 0, len(scene.undisturbed.record))
    words = ("query", "00052", "2024-10-01", "--json")
    assert there.cli(*words).stdout == here.cli(*words).stdout != ""

    again = json.loads(there.cli("run", "--json").stdout)
    assert again["reports"] == dict.fromkeys(again["reports"], 0)
    assert there.cli("rebuild", "--yes").returncode == 0
    assert there.state() == here.state()
    assert_settled(there)
    assert there.store is not None
    name = there.store.rpartition("/")[2].partition("?")[0]
    with MongoClient[dict[str, Any]](replica_set.uri) as client:
        assert "report_rows" not in client[name].list_collection_names()


def test_bad_rows_and_logs(scene: Scene, there: Place) -> None:
    """A rejected row is in the logs and the run's report there, as in any other store."""
    with scene.workbook("IICHTE19.xlsx") as book:
        sheet = book.worksheets[0]
        sheet.cell(row=5, column=2).value = "?3.1 °F"
    disturbed = Scene(scene.undisturbed, there)
    report = there.run()
    disturbed.assert_reported(report, value="?3.1 °F")
    assert report.reports.rejected == 1
