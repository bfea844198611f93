"""The MongoDB engine on a stand-in for DocumentDB 5.0: what it makes there, and what it does without."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import WriteError

from barograph.model import LogEntry, Station
from barograph.store.mongo import MongoStore
from barograph.store.mongo_schema import INDEXES, VALIDATORS
from tests.support.days import DAY, EXTRACTED, at, day_of
from tests.support.documentdb_server import DocumentDBServer
from tests.support.replica_set import ReplicaSet

Document = dict[str, Any]


@pytest.fixture
def database(documentdb_url: str, replica_set: ReplicaSet) -> Iterator[Database[Document]]:
    """The store's database as the server behind the stand-in has it."""
    name = documentdb_url.rpartition("/")[2].partition("?")[0]
    with MongoClient[Document](replica_set.uri_of(name), tz_aware=True, tzinfo=UTC) as client:
        yield client.get_default_database()


def write(url: str) -> None:
    """A run's worth of writes."""
    with closing(MongoStore(url, patience=20)) as store:
        store.put_stations({Station("IICHTE19", latitude=51.0): EXTRACTED})
        store.save_days([day_of(temperature=[1.0, 2.0])])
        store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
        store.refresh_summaries(["IICHTE19"])


def test_all_but_the_view_is_made(
    documentdb_url: str, database: Database[Document], caplog: pytest.LogCaptureFixture
) -> None:
    """Collections, validators that hold, and indexes; report_rows is missing, and nobody is warned about it."""
    write(documentdb_url)
    assert caplog.records == []
    assert set(database.list_collection_names()) == set(VALIDATORS)
    with pytest.raises(WriteError) as caught:
        database.stations.update_one({}, {"$set": {"latitude": "north"}})
    assert caught.value.code == 121
    for name, indexes in INDEXES.items():
        made = {index["name"] for index in database[name].list_indexes()}
        assert made == {"_id_", *(index.document["name"] for index in indexes)}


def test_a_database_that_stands_is_left_alone(documentdb_url: str, documentdb_server: DocumentDBServer) -> None:
    """DocumentDB describes collections and indexes in its own way; that is no reason to change or make them again."""
    write(documentdb_url)
    before = documentdb_server.commands.copy()
    write(documentdb_url)
    sent = documentdb_server.commands - before
    assert sent["update"] >= 1
    assert (sent["collMod"], sent["createIndexes"]) == (0, 0)
    # At most the view is tried again.
    assert sent["create"] <= 1


def test_nothing_but_what_may_be_tried_is_refused(documentdb_url: str, documentdb_server: DocumentDBServer) -> None:
    """Over writes, reads and a rebuild's emptying only the view and the driver's goodbye are refused."""
    documentdb_server.refused.clear()
    write(documentdb_url)
    with closing(MongoStore(documentdb_url)) as store:
        assert store.read("IICHTE19", at(DAY), at(DAY) + timedelta(days=40), provenance=True).height == 2
        assert [day.frame.height for day in store.days("IICHTE19", DAY, DAY + timedelta(days=1))] == [2]
        assert store.stations()[0].summary.count == 2
        store.delete_days()
        store.delete_objects()
        assert store.stations()[0].summary.count == 0
    assert {told.partition(":")[0] for told in documentdb_server.refused} <= {"create.viewOn", "endSessions"}
    assert "create.viewOn" in {told.partition(":")[0] for told in documentdb_server.refused}


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_server_without_validators_is_warned_of(
    replica_set: ReplicaSet,
    mongo_url: str,
    caplog: pytest.LogCaptureFixture,
    existing: bool,
) -> None:
    """The collections are made or stay without, each is named once, and everything works; whatever the code says."""
    name = mongo_url.rpartition("/")[2].partition("?")[0]
    if existing:
        with MongoClient[Document](mongo_url) as client:
            for collection in VALIDATORS:
                client.get_default_database().create_collection(collection)
    with DocumentDBServer(replica_set.uri, lacking=["create.validator", "collMod.validator"]) as server:
        write(server.uri_of(name))
        with closing(MongoStore(server.uri_of(name))) as store:
            assert store.read("IICHTE19", at(DAY), at(DAY) + timedelta(days=1))["temperature"].to_list() == [1.0, 2.0]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    validated = [collection for collection, schema in VALIDATORS.items() if schema]
    assert [message.partition(" has no validator")[0] for message in warned] == [f"{name}.{c}" for c in validated]
    assert all("Field 'validator' is currently not supported" in message for message in warned)


def test_instants_keep_their_zone(documentdb_url: str) -> None:
    """The replies are taken apart and put together again on the way; what arrives is what was sent."""
    write(documentdb_url)
    with closing(MongoStore(documentdb_url)) as store:
        assert store.stations()[0].described_at == EXTRACTED
        assert store.stations()[0].summary.first == datetime(2024, 10, 1, tzinfo=UTC)
