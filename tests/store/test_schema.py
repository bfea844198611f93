"""The schema's life, in both engines: made new, refused when it is older or newer, brought forward on purpose."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import WriteError

from barograph.errors import SchemaError, StoreError
from barograph.model import LogEntry, Station, utc_now
from barograph.store import open_store
from barograph.store.base import DayKey, LogQuery, Store
from barograph.store.mongo import MongoStore
from barograph.store.mongo_schema import FORMER_INDEXES, INDEXES, VALIDATORS
from barograph.store.schema import VERSION, Schema
from tests.support.days import DAY, EXTRACTED, at, day_of
from tests.support.old_schema import make_version_1, say_version
from tests.support.replica_set import ReplicaSet

KEY = DayKey("IICHTE19", DAY)

WRITES: list[Callable[[Store], object]] = [
    lambda store: store.save_days([day_of("07015", temperature=[1.0])]),
    lambda store: store.put_stations({Station("07015"): None}),
    lambda store: store.put_logs([LogEntry("2", EXTRACTED, "info", "m")]),
    lambda store: store.refresh_summaries(["IICHTE19"]),
    lambda store: store.delete_objects(),
    lambda store: store.delete_days(),
    lambda store: store.expire_logs(3),
]


def filled(url: str) -> None:
    """A store with a day and a log entry."""
    with closing(open_store(url)) as store:
        store.save_days([day_of(temperature=[20.0, 21.0])])
        store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])


def test_a_new_database_has_the_newest_version(store_url: str) -> None:
    """From the first write on; there is nothing to migrate, and `migrate` says so."""
    filled(store_url)
    with closing(open_store(store_url)) as store:
        assert store.schema() == Schema(VERSION)
        assert store.migrate() == []
        assert store.schema() == Schema(VERSION)


def test_an_older_schema_is_read_but_not_written(store_url: str) -> None:
    """No write changes a schema in silence: each is refused with what to do, and reading goes on."""
    filled(store_url)
    make_version_1(store_url)
    with closing(open_store(store_url)) as store:
        for write in WRITES:
            with pytest.raises(SchemaError, match=r"version 1.*barograph migrate"):
                write(store)
        assert store.read("IICHTE19", at(DAY), at(DAY, 5))["temperature"].to_list() == [20.0, 21.0]
        assert [entry.log_id for entry in store.logs(LogQuery())] == ["1"]
        assert store.load_days([KEY])[KEY].revision == 1
        found = store.schema()
        assert found.version == 1
        assert [step.partition(":")[0] for step in found.pending] == ["version 2"]


def test_migrating_brings_it_forward_and_keeps_what_it_holds(store_url: str) -> None:
    """One call, after which everything is as in a new database; a second call finds nothing to do."""
    filled(store_url)
    make_version_1(store_url)
    with closing(open_store(store_url)) as store, closing(open_store(store_url)) as other:
        with pytest.raises(SchemaError):
            other.put_logs([])
        assert [step.partition(":")[0] for step in store.migrate()] == ["version 2"]
        assert store.schema() == Schema(VERSION)
        assert store.migrate() == []
        assert store.read("IICHTE19", at(DAY), at(DAY, 5))["temperature"].to_list() == [20.0, 21.0]
        for write in WRITES:
            write(other)  # a store that was open all the while notices


def test_a_newer_schema_is_left_alone(store_url: str) -> None:
    """What a later barograph wrote is neither read nor written by this one, and not migrated backwards."""
    filled(store_url)
    say_version(store_url, VERSION + 1)
    uses: list[Callable[[Store], object]] = [
        *WRITES,
        lambda store: store.stations(),
        lambda store: store.read("IICHTE19", at(DAY), at(DAY, 5)),
        lambda store: store.migrate(),
    ]
    for use in uses:
        newer = pytest.raises(SchemaError, match=rf"version {VERSION + 1}.*upgrade")
        with newer, closing(open_store(store_url)) as store:
            use(store)


def test_what_was_removed_by_hand_is_mended(mongo_url: str) -> None:
    """A validator, a view and indexes that somebody took away are named by `schema`, and come back with `migrate`."""
    filled(mongo_url)
    with MongoClient[dict[str, Any]](mongo_url) as client, closing(MongoStore(mongo_url)) as store:
        database = client.get_default_database()
        database.command({"collMod": "logs", "validator": {}})
        database.command({"collMod": "report_rows", "viewOn": "reports", "pipeline": []})
        database["logs"].drop_indexes()
        database.drop_collection("runs")
        steps = store.schema().pending
        assert {"renew the validator of logs", "create the view report_rows", "create the collection runs"} < {*steps}
        assert {f"create the index {name} of logs" for name in ("newest", "newest_of_type", "newest_of_run")} < {*steps}
        store.put_logs([])  # nothing was changed in passing
        assert store.schema().pending == steps
        assert store.migrate() == list(steps)
        assert store.schema() == Schema(VERSION)
        with pytest.raises(WriteError):
            database["logs"].insert_one({"timestamp": "yesterday"})
        assert database["report_rows"].count_documents({}) == 2


def test_a_table_that_is_gone_is_mended(tmp_path: Any) -> None:
    """Of SQLite, likewise."""
    url = f"sqlite:///{tmp_path / 'meteo.db'}"
    filled(url)
    with closing(sqlite3.connect(tmp_path / "meteo.db")) as connection:
        connection.executescript("DROP INDEX logs_by_time; DROP TABLE runs;")
    with closing(open_store(url)) as store:
        steps = ["create index logs_by_time", "create table runs", "create index runs_by_start"]
        assert sorted(store.migrate()) == sorted(steps)
        assert store.runs() == []
        assert store.schema() == Schema(VERSION)


@pytest.mark.parametrize("command", ["create", "createIndexes", "dropIndexes", "update", "listCollections"])
def test_a_migration_that_is_broken_off_is_completed(mongo_url: str, replica_set: ReplicaSet, command: str) -> None:
    """Whatever step fails, nothing is written meanwhile, nothing is lost, and the next `migrate` ends well."""
    filled(mongo_url)
    make_version_1(mongo_url)
    with closing(MongoStore(mongo_url, patience=5)) as store, MongoClient[dict[str, Any]](replica_set.uri) as client:
        data = {"failCommands": [command], "appName": "barograph", "errorCode": 11601}
        client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        try:
            with pytest.raises(StoreError):
                store.migrate()
        finally:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        with pytest.raises(SchemaError, match="migrate"):
            store.put_logs([LogEntry("2", EXTRACTED, "info", "m")])
        assert store.migrate()
        assert store.schema() == Schema(VERSION)
        assert store.read("IICHTE19", at(DAY), at(DAY, 5)).height == 2
        database = client.get_database(mongo_url.rpartition("/")[2].partition("?")[0])
        names = {index["name"] for index in database["reports"].list_indexes()}
        assert names == {"_id_", *(index.document["name"] for index in INDEXES["reports"])}
        assert not names & {*FORMER_INDEXES["reports"]}


def test_a_creation_that_was_broken_off_is_completed(mongo_url: str) -> None:
    """Collections without the mark of a version, and without content, are what a killed first write leaves."""
    with MongoClient[dict[str, Any]](mongo_url) as client:
        client.get_default_database().create_collection("stations")
        with closing(MongoStore(mongo_url)) as store:
            assert store.schema().version is None
            store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
            assert store.schema() == Schema(VERSION)
        assert {*VALIDATORS, "report_rows"} <= {*client.get_default_database().list_collection_names()}


def test_logs_expire_when_asked(store_url: str) -> None:
    """Entries older than so many days go, younger ones stay; MongoDB has a TTL index that follows the setting."""
    now = utc_now()
    entries = [LogEntry(str(age), now - timedelta(days=age), "info", "m") for age in (1, 9, 40)]
    with closing(open_store(store_url)) as store:
        store.put_logs(entries[:1])
        if not store_url.startswith("sqlite"):
            with MongoClient[dict[str, Any]](store_url) as client:
                logs = client.get_default_database()["logs"]
                for days, seconds in ((30, 2_592_000), (7, 604_800), (7, 604_800), (0, None)):
                    store.expire_logs(days)
                    expiry = {index["name"]: index.get("expireAfterSeconds") for index in logs.list_indexes()}
                    assert expiry.get("expiry") == seconds
                assert store.schema() == Schema(VERSION)
        # Not before: the server may look for what has expired at any moment of the above.
        store.expire_logs(0)
        store.put_logs(entries)
        assert len(store.logs(LogQuery())) == 3
        store.expire_logs(30)
        deadline = time.monotonic() + 60
        while len(store.logs(LogQuery())) > 2:
            assert time.monotonic() < deadline, "the server deleted nothing"
            time.sleep(0.1)
        assert [entry.log_id for entry in store.logs(LogQuery())] == ["1", "9"]
