"""The MongoDB engine's own promises: open documents, validators, the view, indexes, retries, errors in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import WriteError

from barograph.errors import StoreError, StoreUnavailable
from barograph.model import LogEntry, Station
from barograph.store import mongo_migrate, open_store
from barograph.store.base import DayKey, LogQuery, StationDay
from barograph.store.mongo import MongoStore
from barograph.variables import NAMES
from tests.support.days import DAY, EXTRACTED, at, day_of
from tests.support.replica_set import ReplicaSet, free_port

Document = dict[str, Any]
NEXT = DAY + timedelta(days=1)
MIDNIGHT = datetime(2024, 10, 1, tzinfo=UTC)


@pytest.fixture
def store(mongo_url: str) -> Iterator[MongoStore]:
    with closing(MongoStore(mongo_url, patience=20)) as opened:
        yield opened


@pytest.fixture
def database(mongo_url: str) -> Iterator[Database[Document]]:
    """The store's database through the plain driver."""
    with MongoClient[Document](mongo_url, tz_aware=True, tzinfo=UTC) as client:
        yield client.get_default_database()


def full_day() -> StationDay:
    """A day with nulls, a flag, several sources and a value from another extraction than its report."""
    return day_of(
        instants=[at(DAY, 0), at(DAY, 0, 5), at(DAY, 0, 10)],
        temperature=[20.0, None, 99.5],
        humidity=[80, None, 82],
        wind_direction=["N", "NNE", None],
        solar=[None, None, None],
        temperature_flag=[None, None, 4],
        sources=("a.csv", "b.csv"),
        source=[0, 0, 1],
        line=[2, 3, 2],
        humidity_extracted_at=[None, EXTRACTED - timedelta(days=1), None],
        humidity_source=[None, 1, None],
        humidity_line=[None, 9, None],
    )


def test_a_day_is_one_open_columnar_document(store: MongoStore, database: Database[Document]) -> None:
    """Exactly the published shape: what Compass and mongosh show is the contract with the data scientists."""
    store.save_days([full_day()])
    document = database.reports.find_one()
    assert document is not None
    assert len(document.pop("writer")) == 32
    assert document == {
        "_id": "IICHTE19:2024-10-01",
        "station_id": "IICHTE19",
        "day": MIDNIGHT,
        "revision": 1,
        "count": 3,
        "first": MIDNIGHT,
        "last": MIDNIGHT + timedelta(minutes=10),
        "reports": {
            "utc_time": [MIDNIGHT, MIDNIGHT + timedelta(minutes=5), MIDNIGHT + timedelta(minutes=10)],
            "temperature": [20.0, None, 99.5],
            "humidity": [80, None, 82],
            "wind_direction": ["N", "NNE", None],
        },
        "flags": {"temperature": {"index": [2], "flag": [4]}},
        "sources": ["a.csv", "b.csv"],
        "extracted_at": [EXTRACTED] * 3,
        "source": [0, 0, 1],
        "line": [2, 3, 2],
        "origins": {
            "humidity": {"index": [1], "extracted_at": [EXTRACTED - timedelta(days=1)], "source": [1], "line": [9]}
        },
    }
    assert [type(cell) for cell in document["reports"]["temperature"]] == [float, type(None), float]
    types = database.reports.aggregate([{"$project": {"t": {"$type": {"$arrayElemAt": ["$reports.temperature", 0]}}}}])
    assert next(types)["t"] == "double"


def test_a_station_is_the_published_document(store: MongoStore, database: Database[Document]) -> None:
    """Fields that nobody said are not there; the summary always is."""
    store.put_stations({Station("07015", "Lesquin", latitude=50.575, elevation=47): EXTRACTED, Station("x"): None})
    assert list(database.stations.find().sort("_id", 1)) == [
        {
            "_id": "07015",
            "name": "Lesquin",
            "latitude": 50.575,
            "elevation": 47,
            "described_at": EXTRACTED,
            "reports": {"count": 0, "first": None, "last": None},
        },
        {"_id": "x", "reports": {"count": 0, "first": None, "last": None}},
    ]


def test_the_view_shows_the_rows_that_read_gives(store: MongoStore, database: Database[Document]) -> None:
    """report_rows: one document per report, with its flags, object and line; nulls have no field."""
    second = day_of(day=NEXT, temperature=[1.0], line=[None])
    store.save_days([full_day(), second])
    rows = list(database.report_rows.find({"station_id": "IICHTE19"}).sort("utc_time", 1))
    assert rows[2] == {
        "_id": "IICHTE19:2024-10-01#2",
        "station_id": "IICHTE19",
        "day": MIDNIGHT,
        "utc_time": MIDNIGHT + timedelta(minutes=10),
        "temperature": 99.5,
        "humidity": 82,
        "flags": {"temperature": 4},
        "object": "b.csv",
        "line": 2,
    }
    read = store.read("IICHTE19", at(DAY), at(NEXT, 1), provenance=True).to_dicts()
    assert len(rows) == len(read) == 4
    for row, told in zip(rows, read, strict=True):
        assert {name: row[name] for name in ("utc_time", *NAMES) if name in row} == {
            name: told[name] for name in ("utc_time", *NAMES) if told.get(name) is not None
        }
        assert (row["object"], row.get("line")) == (told["origin"], told["line"])
        assert row.get("flags", {}).get("temperature") == told["temperature_flag"]


def stages(plan: Any) -> set[str]:
    """All stage names of an explained query."""
    if isinstance(plan, dict):
        own = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
        return own.union(*(stages(part) for part in plan.values()))
    return set().union(*(stages(part) for part in plan)) if isinstance(plan, list) else set()


def winning(explained: Document) -> set[str]:
    """The stages that the server chose, of a find or of an aggregation."""
    planner = explained.get("queryPlanner") or explained["stages"][0]["$cursor"]["queryPlanner"]
    return stages(planner["winningPlan"])


def test_reads_use_an_index(store: MongoStore, database: Database[Document]) -> None:
    """A day, a year, logs are found through an index and none sorts in memory; summaries read no document."""
    store.save_days([day_of(day=DAY + timedelta(days=number), temperature=[1.0]) for number in range(30)])
    span = {"station_id": "IICHTE19", "day": {"$gte": MIDNIGHT, "$lt": MIDNIGHT + timedelta(days=9)}}
    year = winning(database.reports.find(span).sort("day", 1).explain())
    assert "IXSCAN" in year
    assert not year & {"COLLSCAN", "SORT"}
    day = winning(database.reports.find({"_id": {"$in": ["IICHTE19:2024-10-01"]}}).sort("_id", 1).explain())
    assert day & {"IXSCAN", "IDHACK"}
    assert not day & {"COLLSCAN", "SORT"}
    group = {"_id": "$station_id", "count": {"$sum": "$count"}, "first": {"$min": "$first"}, "last": {"$max": "$last"}}
    pipeline = [{"$match": {"station_id": {"$in": ["IICHTE19"]}}}, {"$group": group}]
    summary = winning(database.command("explain", {"aggregate": "reports", "pipeline": pipeline, "cursor": {}}))
    assert "IXSCAN" in summary
    assert not summary & {"COLLSCAN", "FETCH"}
    view = [{"$match": {"station_id": "IICHTE19", "day": MIDNIGHT}}]
    shown = winning(database.command("explain", {"aggregate": "report_rows", "pipeline": view, "cursor": {}}))
    assert "IXSCAN" in shown
    assert "COLLSCAN" not in shown
    for query in ({}, {"type": "error"}, {"context.run_id": "r"}):
        newest = winning(database.logs.find(query).sort([("timestamp", -1), ("_id", -1)]).limit(5).explain())
        assert not newest & {"COLLSCAN", "SORT"}, query


NONSENSE: list[tuple[str, Document]] = [
    ("reports", {"reports.temperature": [20.0, "warm", 1.0]}),
    ("reports", {"reports.temperature": [20, 21, 22]}),
    ("reports", {"reports.temprature": [1.0, 1.0, 1.0]}),
    ("reports", {"reports.utc_time": ["2024-10-01T00:00"]}),
    ("reports", {"day": "2024-10-01"}),
    ("reports", {"revision": 0}),
    ("reports", {"flags.temperature": {"index": [0]}}),
    ("reports", {"extracted_at": None}),
    ("stations", {"latitude": "50.6"}),
    ("stations", {"longitude": 300.0}),
    ("stations", {"reports.count": "many"}),
    ("logs", {"timestamp": "yesterday"}),
    ("logs", {"context": "none"}),
]


def test_the_database_refuses_nonsense(store: MongoStore, database: Database[Document]) -> None:
    """Validators hold for every client, not only for us: texts for numbers, unknown variables, bad coordinates."""
    store.save_days([full_day()])
    store.put_stations({Station("IICHTE19", latitude=51.0): None})
    store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
    for collection, change in NONSENSE:
        with pytest.raises(WriteError) as caught:
            database[collection].update_one({}, {"$set": change})
        assert caught.value.code == 121, change


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"reports.temperature": [1.0]}},
        {"$set": {"reports.temperature": [1.0, "x", 2.0]}},
        {"$set": {"reports.humidity": [1, 2, 2**31]}},
        {"$set": {"reports.mood": [1.0, 1.0, 1.0]}},
        {"$set": {"flags.temperature": {"index": [7], "flag": [4]}}},
        {"$set": {"source": [0, 0, 9]}},
        {"$unset": {"reports.utc_time": ""}},
        {"$unset": {"reports": ""}},
    ],
)
def test_a_damaged_document_is_named(store: MongoStore, database: Database[Document], change: Document) -> None:
    """What another program broke (past the validators) is an error with the document's id, never a wrong value."""
    store.save_days([full_day()])
    database.command({"collMod": "reports", "validator": {}})
    database.reports.update_one({}, change)
    with pytest.raises(StoreError, match="IICHTE19:2024-10-01"):
        store.read("IICHTE19", at(DAY), at(NEXT), provenance=True)
    if "source" not in change.get("$set", {}):
        with pytest.raises(StoreError, match="IICHTE19:2024-10-01"):
            store.load_days([DayKey("IICHTE19", DAY)])


def test_reading_creates_nothing(store: MongoStore, database: Database[Document]) -> None:
    """A user who may only read can use a store, an empty one too."""
    assert store.read("IICHTE19", at(DAY), at(NEXT)).height == 0
    assert (store.stations(), store.objects(), store.logs(LogQuery()), store.runs()) == ([], {}, [], [])
    assert database.list_collection_names() == []


@contextmanager
def failing(replica_set: ReplicaSet, commands: list[str], times: int, **how: Any) -> Iterator[None]:
    """Let the primary answer the next `times` of these commands with an error (server's failCommand fail point)."""
    with MongoClient[Document](replica_set.uri) as client:
        mode = {"times": times}
        data = {"failCommands": commands, "appName": "barograph", **how}
        client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})
        try:
            yield
        finally:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def test_our_own_write_is_no_lost_race(store: MongoStore, replica_set: ReplicaSet) -> None:
    """A save that landed but whose acknowledgement failed is repeated and found to be ours, for new days and old."""
    store.save_days([day_of(temperature=[1.0])])
    key = DayKey("IICHTE19", DAY)
    again = replace(store.load_days([key])[key], frame=day_of(temperature=[2.0]).frame)
    new = day_of(day=NEXT, temperature=[3.0])
    stale = replace(day_of("07015", temperature=[4.0]), revision=3)
    unsure = {"code": 91, "codeName": "ShutdownInProgress", "errmsg": "stepping down"}
    with failing(replica_set, ["insert", "update"], 2, writeConcernError=unsure):
        assert store.save_days([again, new, stale]) == {stale.key}
    found = store.load_days([key, new.key, stale.key])
    assert {known: (day.revision, day.frame["temperature"][0]) for known, day in found.items()} == {
        key: (2, 2.0),
        new.key: (1, 3.0),
    }


@pytest.mark.parametrize("how", [{"errorCode": 10107}, {"errorCode": 11602}, {"closeConnection": True}])
def test_a_moment_without_primary_is_waited_for(store: MongoStore, replica_set: ReplicaSet, how: Document) -> None:
    """A server that steps down, or cuts the line, delays reads and writes and does not fail them."""
    store.save_days([day_of(temperature=[1.0])])
    commands = ["find", "insert", "update", "aggregate"]
    with failing(replica_set, commands, 3, **how):
        assert store.save_days([day_of(day=NEXT, temperature=[2.0])]) == set()
        assert store.read("IICHTE19", at(DAY), at(NEXT, 1)).height == 2
        store.refresh_summaries(["IICHTE19"])
        store.put_logs([LogEntry("1", EXTRACTED, "info", "m")])
    assert store.stations()[0].summary.count == 2


def test_a_primary_that_dies_costs_nothing_but_time(store: MongoStore, replica_set: ReplicaSet) -> None:
    """SIGKILL of the primary between saves: every save succeeds on the next primary, and all days are there."""
    store.save_days([day_of(temperature=[0.0])])
    killed = replica_set.wait_for_primary()
    try:
        replica_set.kill(killed)
        days = [day_of(day=DAY + timedelta(days=number), temperature=[float(number)]) for number in range(1, 5)]
        assert store.save_days(days) == set()
        read = store.read("IICHTE19", at(DAY), at(DAY) + timedelta(days=5))
        assert read["temperature"].to_list() == [0.0, 1.0, 2.0, 3.0, 4.0]
    finally:
        replica_set.restart(killed)
        replica_set.wait_for_primary()


def test_nobody_there_is_unavailable_within_the_bound() -> None:
    """The error comes in time, names the host, the call and the time it took, and never the password."""
    port = free_port()
    with closing(MongoStore(f"mongodb://anna:s3cret@127.0.0.1:{port}/meteo", patience=1.0)) as store:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            store.read("IICHTE19", at(DAY), at(NEXT))
        assert time.monotonic() - begun < 4
    message = str(caught.value)
    assert caught.value.retryable
    assert all(part in message for part in (f"127.0.0.1:{port}", "read reports", "anna:***@", " s: "))
    assert "s3cret" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("code", "hint"), [(13, "readWrite"), (18, "authSource"), (59, "log"), (72, "options")], ids=str
)
def test_a_refusal_is_final_and_explained(store: MongoStore, replica_set: ReplicaSet, code: int, hint: str) -> None:
    """What another try will not cure is not tried again."""
    with failing(replica_set, ["find"], 1, errorCode=code), pytest.raises(StoreError, match=hint) as caught:
        store.stations()
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_explained(replica_set: ReplicaSet) -> None:
    """Authentication that fails is one line with a hint."""
    uri = replica_set.uri_of("meteo").replace("mongodb://", "mongodb://anna:s3cret@") + "&authSource=admin"
    with closing(MongoStore(uri, patience=5)) as store, pytest.raises(StoreError, match="authentication") as caught:
        store.stations()
    assert "s3cret" not in str(caught.value)
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://",
        "mongodb://anna:s3/cr?et@host/meteo",
        "mongodb://anna:s3cret@host:port/meteo",
        "mongodb://anna:s3cret@host/me teo.x",
        "mongodb://anna:s3cret@host/meteo?w=majority&timeout=soon",
        "mongodb://anna:s3cret@host/meteo?authMechanism=MAGIC",
    ],
)
def test_a_uri_that_cannot_be_used_is_explained(url: str) -> None:
    """The commonest mistakes in a URI give a StoreError with a hint, and do not show the password."""
    with pytest.raises(StoreError, match="%-escape") as caught:
        open_store(url)
    assert "s3" not in str(caught.value)
    assert caught.value.__cause__ is None or "s3" not in str(caught.value.__cause__)


def test_the_uri_rules_over_the_defaults(replica_set: ReplicaSet) -> None:
    """Without a word: majority, journal, no retryable writes, database meteo. What the URI says holds."""
    with closing(MongoStore(f"mongodb://{replica_set.hosts}/?replicaSet=barograph")) as store:
        options = store._link.client.options
        assert store._link.database.name == "meteo"
        assert options.write_concern.document == {"w": "majority", "j": True, "wtimeout": 15_000}
        assert options.read_concern.level == "majority"
        assert not options.retry_writes
        assert options.server_selection_timeout == 2
        assert store._link.client.options.pool_options.appname == "barograph"
    said = "retryWrites=true&w=2&appName=mine&serverSelectionTimeoutMS=700&readPreference=secondaryPreferred"
    with closing(MongoStore(f"mongodb://{replica_set.hosts}/other?replicaSet=barograph&{said}")) as store:
        options = store._link.client.options
        assert store._link.database.name == "other"
        assert options.write_concern.document["w"] == 2
        assert options.retry_writes
        assert options.server_selection_timeout == 0.7
        assert options.pool_options.appname == "mine"
        assert store._documents.read_preference.name == "Primary"
    with closing(MongoStore(f"mongodb://{replica_set.hosts}/other?replicaSet=barograph&{said}", reading=True)) as store:
        assert store._documents.read_preference.name == "SecondaryPreferred"


def test_a_large_save_is_split(store: MongoStore) -> None:
    """More than one bulk, and days with more reports than the fast path of the codec takes."""
    height = 20_000
    instants = pl.Series(range(height)) * 4000 + int(MIDNIGHT.timestamp() * 1000)
    days = []
    for number in range(6):
        moved = (instants + number * 86_400_000).cast(pl.Datetime("ms", "UTC")).to_list()
        values = [float(place) for place in range(height)]
        days.append(day_of(day=date(2024, 10, 1 + number), instants=moved, temperature=values))
    assert store.save_days(days) == set()
    read = store.read("IICHTE19", at(DAY), at(DAY) + timedelta(days=6), variables=["temperature"])
    assert_frame_equal(read, pl.concat([day.frame.select("utc_time", "temperature") for day in days]))
    assert store.save_days(days) == {day.key for day in days}


def test_a_schema_that_another_program_makes_meanwhile(mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two first runs at once: the slower one finds the version that the quicker one has said, and no old schema."""
    with closing(MongoStore(mongo_url)) as quicker, closing(MongoStore(mongo_url)) as slower:
        unsaid = mongo_migrate._unsaid
        rivals: list[str] = []

        def late(database: Database[Document]) -> int | None:
            if not rivals:
                rivals.append(database.name)
                quicker.put_logs([LogEntry("1", EXTRACTED, "info", "quicker")])
            return unsaid(database)

        monkeypatch.setattr(mongo_migrate, "_unsaid", late)
        slower.put_logs([LogEntry("2", EXTRACTED, "info", "slower")])
        assert rivals
        assert [entry.msg for entry in slower.logs(LogQuery())] == ["slower", "quicker"]
