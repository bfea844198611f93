"""How a store tells in which way, and how quickly, it finds a span: the contract over both engines, and their words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from barograph.errors import StoreUnavailable, UsageError
from barograph.store import open_store
from barograph.store.base import AccessPlan, Store
from barograph.store.mongo import MongoStore
from barograph.store.mongo_access import plan_of, shell
from barograph.store.mongo_schema import INDEXES
from tests.store.test_mongo import failing
from tests.support.days import DAY, at, day_of
from tests.support.replica_set import ReplicaSet

DAYS = 40
WEEK = timedelta(days=7)
LONG = 365 * timedelta(days=1)


@pytest.fixture
def filled(store: Store) -> Store:
    """Forty days of two stations."""
    days = [
        day_of(station, DAY + timedelta(days=number), temperature=[1.0] * 24)
        for station in ("IICHTE19", "it's 2")
        for number in range(DAYS)
    ]
    store.save_days(days)
    return store


@pytest.mark.parametrize("length", [timedelta(hours=1), WEEK, LONG], ids=str)
def test_a_span_is_found_through_an_index(filled: Store, length: timedelta) -> None:
    """Whatever its length, the plan names an index and the question, and examines no more than it returns."""
    before = filled.read("it's 2", at(DAY), at(DAY) + LONG)
    plan = filled.explain("it's 2", at(DAY), at(DAY) + length)
    days = filled.fetch("it's 2", at(DAY), at(DAY) + length).documents
    assert plan.index
    assert plan.stages
    assert not {"COLLSCAN", "SORT"} & set(plan.stages)
    assert not [stage for stage in plan.stages if stage.startswith("SCAN")]
    assert DAY.isoformat() in plan.query
    assert plan.documents_examined in (None, days)
    assert plan.keys_examined is None or days <= plan.keys_examined <= days + 1
    assert plan.refused == ""
    assert filled.read("it's 2", at(DAY), at(DAY) + LONG).equals(before)


def test_the_question_can_be_asked_again(filled: Store) -> None:
    """SQLite's statement runs as it is told, with its parameters, a quote in an id included."""
    plan = filled.explain("it's 2", at(DAY), at(DAY) + WEEK)
    if not filled.url.startswith("sqlite"):
        assert plan.query == (
            'db.reports.find({station_id: "it\'s 2", day: {$gte: ISODate("2024-10-01T00:00:00Z"), '
            '$lte: ISODate("2024-10-07T00:00:00Z")}}, {reports: 1, flags: 1}).sort({day: 1})'
        )
        return
    with closing(sqlite3.connect(filled.url.removeprefix("sqlite:///"))) as connection:
        assert len(connection.execute(plan.query).fetchall()) == 7


def test_a_fetch_takes_every_document_once(filled: Store, store_url: str) -> None:
    """Its documents are the span's days and its bytes theirs; the first is there before all are."""
    fetch = filled.fetch("IICHTE19", at(DAY, 23), at(DAY) + timedelta(days=35))
    assert fetch.documents == 35
    assert fetch.first is not None
    assert 0 < fetch.first <= fetch.complete
    assert fetch.cursor is None or 0 <= fetch.cursor <= fetch.first
    if store_url.startswith("sqlite"):
        sql = "SELECT sum(length(reports)) FROM reports WHERE station_id = 'IICHTE19' AND day < '2024-11-05'"
        with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute(sql).fetchone() == (fetch.bytes,)
        return
    with MongoClient[dict[str, Any]](store_url) as client:
        reports = client.get_default_database().reports
        query = {"station_id": "IICHTE19", "day": {"$lt": datetime(2024, 11, 5, tzinfo=UTC)}}
        assert sum(len(bson.encode(document)) for document in reports.find(query, {"reports": 1})) == fetch.bytes


def test_a_span_without_documents(filled: Store) -> None:
    """No document, no first one; a span of no length is as good."""
    for start, end in ((at(DAY) - LONG, at(DAY)), (at(DAY), at(DAY)), (at(DAY), at(DAY) - WEEK)):
        fetch = filled.fetch("IICHTE19", start, end)
        assert (fetch.documents, fetch.bytes, fetch.first) == (0, 0, None)
        assert filled.explain("IICHTE19", start, end).documents_examined in (None, 0)
    assert filled.fetch("nowhere", at(DAY), at(DAY) + LONG).documents == 0


def test_an_empty_store_can_be_asked(store: Store) -> None:
    """Before anything was ever stored."""
    assert store.fetch("IICHTE19", at(DAY), at(DAY) + LONG).documents == 0
    assert store.explain("IICHTE19", at(DAY), at(DAY) + LONG).query


def test_naive_instants_are_refused(store: Store) -> None:
    """As `read` refuses them."""
    for use in (store.explain, store.fetch):
        with pytest.raises(UsageError, match="timezone"):
            use("IICHTE19", datetime(2024, 10, 1), at(DAY))


@pytest.fixture
def mongo(mongo_url: str) -> Iterator[Store]:
    with closing(open_store(mongo_url, patience=1)) as opened:
        opened.save_days([day_of(temperature=[1.0])])
        yield opened


@pytest.mark.parametrize(("code", "text"), [(13, "not allowed"), (59, "explain was refused"), (115, "refused")])
def test_a_server_that_does_not_explain_is_quoted(mongo: Store, replica_set: ReplicaSet, code: int, text: str) -> None:
    """The plan is what is missing then, not the record: the question and the refusal are told."""
    with failing(replica_set, ["explain"], 1, errorCode=code):
        plan = mongo.explain("IICHTE19", at(DAY), at(DAY) + WEEK)
    assert text in plan.refused
    assert plan.query.startswith("db.reports.find(")
    assert (plan.stages, plan.index, plan.keys_examined, plan.documents_examined) == ((), None, None, None)


def test_a_server_that_is_gone_is_no_refusal(mongo: Store, replica_set: ReplicaSet) -> None:
    """What another moment cures is an error, as everywhere."""
    with failing(replica_set, ["explain"], 100, errorCode=10107), pytest.raises(StoreUnavailable, match="explain"):
        mongo.explain("IICHTE19", at(DAY), at(DAY) + WEEK)


def test_secondaries_explain_what_they_answer(mongo_url: str, mongo: Store) -> None:
    """Where reads go to secondaries, so does the question for the plan."""
    with closing(MongoStore(f"{mongo_url}&readPreference=secondary&readConcernLevel=local")) as store:
        plan = store.explain("IICHTE19", at(DAY), at(DAY) + WEEK)
    assert plan.index in {index.document["name"] for index in INDEXES["reports"]}


FIND = {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "by_day"}}
TOLD = AccessPlan("q", ("FETCH", "IXSCAN"), "by_day", 3, 2)


@pytest.mark.parametrize(
    ("said", "plan"),
    [
        pytest.param(
            {
                "queryPlanner": {"winningPlan": FIND, "rejectedPlans": [{"stage": "COLLSCAN"}]},
                "executionStats": {"totalKeysExamined": 3, "totalDocsExamined": 2, "executionStages": {"stage": "X"}},
            },
            TOLD,
            id="MongoDB",
        ),
        pytest.param(
            {
                "queryPlanner": {"winningPlan": {"queryPlan": FIND, "slotBasedPlan": {"stages": "[2] limit"}}},
                "executionStats": {"totalKeysExamined": 3, "totalDocsExamined": 2},
            },
            TOLD,
            id="MongoDB, slot-based engine",
        ),
        pytest.param(
            {
                "queryPlanner": {
                    "winningPlan": {
                        "stage": "SHARD_MERGE",
                        "shards": [{"shardName": "a", "winningPlan": FIND}, {"shardName": "b", "winningPlan": FIND}],
                    }
                },
                "executionStats": {"totalKeysExamined": 6, "totalDocsExamined": 4},
            },
            AccessPlan("q", ("SHARD_MERGE", "FETCH", "IXSCAN", "FETCH", "IXSCAN"), "by_day", 6, 4),
            id="MongoDB, sharded",
        ),
        pytest.param(
            {"queryPlanner": {"winningPlan": {"stage": "IDHACK"}}, "executionStats": {"totalKeysExamined": 1}},
            AccessPlan("q", ("IDHACK",), "_id_", 1),
            id="MongoDB, one _id",
        ),
        pytest.param(
            # The shape in the developer guide of DocumentDB, "Query plan analysis".
            {
                "queryPlanner": {
                    "plannerVersion": 2,
                    "namespace": "meteo.reports",
                    "winningPlan": {
                        "stage": "SORT",
                        "sortPattern": {"day": 1},
                        "inputStage": {"stage": "IXSCAN", "indexName": "by_day", "direction": "forward"},
                    },
                },
                "executionStats": {
                    "executionSuccess": True,
                    "executionTimeMillis": "4.186",
                    "executionStages": {"stage": "SORT", "nReturned": "2"},
                },
                "serverInfo": {"host": "h", "port": 27017, "version": "5.0.0"},
                "ok": 1,
            },
            AccessPlan("q", ("SORT", "IXSCAN"), "by_day"),
            id="DocumentDB",
        ),
        pytest.param({"ok": 1}, AccessPlan("q"), id="nothing"),
    ],
)
def test_plans_in_the_words_of_several_servers(said: dict[str, Any], plan: AccessPlan) -> None:
    """What a server leaves out stays unknown; plans that lost are not told."""
    assert plan_of("q", said) == plan


def test_a_query_as_mongosh_takes_it() -> None:
    """Names that need quotes get them, texts keep their letters, instants are ISODates."""
    value = {"a.b": 1, "$in": ['say "é"', None, True], "at": datetime(2024, 10, 1, 2, 3, 4, 567000, UTC)}
    assert shell(value) == '{"a.b": 1, $in: ["say \\"é\\"", null, true], at: ISODate("2024-10-01T02:03:04.567Z")}'
