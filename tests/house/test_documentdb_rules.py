"""The rules of the DocumentDB gate: what it lets pass, what it finds, and where it says that it is."""

from __future__ import annotations

from typing import Any, Final

import pytest
from bson.regex import Regex
from hypothesis import given
from hypothesis import strategies as st

from barograph.store.mongo_schema import INDEXES, VALIDATORS, VIEW_PIPELINE
from tests.support.documentdb_list import ALLOWED
from tests.support.documentdb_rules import violations

Document = dict[str, Any]
DAY: Final = {"station_id": "07015", "day": {"$gte": 1, "$lt": 2}}
BY_ID: Final = {"_id": 1}


def found(command: Document) -> list[tuple[str, str]]:
    """Place and name of what is not on the list and not optional either."""
    name = next(iter(command))
    whole = {**command, "$db": command.get("$db", "meteo")}
    return [(violation.path, violation.item) for violation in violations(name, whole) if violation.optional is None]


def aggregate(*stages: Document) -> Document:
    return {"aggregate": "reports", "pipeline": list(stages), "cursor": {}, "$db": "meteo"}


def find(query: Document, **more: Any) -> Document:
    return {"find": "reports", "filter": query, "sort": BY_ID, **more, "$db": "meteo"}


def update(query: Document, change: Any, **more: Any) -> Document:
    return {"update": "reports", "updates": [{"q": query, "u": change, **more}], "$db": "meteo"}


SESSION: Final = {"lsid": {"id": b"1"}, "$readPreference": {"mode": "primary"}, "$clusterTime": {}}
TRANSACTION: Final = {**SESSION, "txnNumber": 1, "autocommit": False}
SUPPORTED: Final[list[Document]] = [
    find(DAY, projection={"reports": 1, "_id": 0}, batchSize=32, **SESSION),
    find({"_id": {"$in": ["a", "b"]}, "$or": [{"a": {"$exists": True}}, {"$expr": {"$gt": ["$a", "$b"]}}]}, limit=3),
    find({"a": {"$elemMatch": {"$gte": 1, "$lt": 2}}, "b": {"$elemMatch": {"c": 1, "$or": [{"d": 2}]}}}),
    find({"a": Regex("^x"), "b": {"$not": {"$regex": "y", "$options": "i"}}, "c": {"plain": 1}}),
    find({"$jsonSchema": VALIDATORS["reports"]}, projection={"a": {"$slice": 3}, "b": {"$elemMatch": {"c": 1}}}),
    find({}, readConcern={"level": "majority"}, hint={"a": 1}, maxTimeMS=1000, comment="who"),
    find({}, readConcern={"level": "snapshot"}, startTransaction=True, **TRANSACTION),
    {"find": "reports", "filter": {"_id": "a"}, "limit": 1, "singleBatch": True},
    {"find": "reports", "filter": {}, "projection": {"_id": 1}, "limit": 1},
    {"getMore": 1, "collection": "reports", "batchSize": 2},
    {"killCursors": "reports", "cursors": [1]},
    aggregate(
        {"$match": DAY},
        {"$unwind": {"path": "$a", "includeArrayIndex": "i"}},
        {"$addFields": {"d": {"$dateToString": {"date": "$day", "format": "%Y"}}, "r": "$$ROOT"}},
        {"$lookup": {"from": "stations", "localField": "station_id", "foreignField": "_id", "as": "s"}},
        {
            "$project": {
                "x": {"$let": {"vars": {"n": {"$size": "$a"}}, "in": {"$multiply": ["$$n", 2]}}},
                "y": {"$switch": {"branches": [{"case": {"$eq": ["$a", 1]}, "then": "b"}], "default": None}},
                "z": {"$reduce": {"input": "$a", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}},
                "w": {"$literal": {"$round": "$$NOW"}},
                "v": {"inside": {"$ifNull": ["$a", "$b"]}},
            }
        },
        {"$group": {"_id": {"s": "$station_id"}, "n": {"$sum": 1}, "first": {"$min": "$first"}}},
        {"$sort": {"_id": 1}},
    ),
    aggregate({"$match": {}}, {"$group": {"_id": None, "n": {"$sum": 1}}}),
    aggregate({"$match": {}}, {"$count": "n"}),
    aggregate({"$sort": {"a": 1}}, {"$group": {"_id": "$a"}}),
    aggregate({"$match": {"_id": "a"}}, {"$project": {"n": {"$size": "$a"}}}),
    aggregate({"$sort": {"_id": 1}}, {"$out": "copy"}),
    {"insert": "logs", "documents": [{"_id": "a", "context": {"deep": [{"x": 1}]}}], "ordered": False},
    update({"_id": "a"}, {"_id": "a", "whole": [1, 2]}, upsert=True),
    update({"_id": "a"}, {"$set": {"a.b": {"c": 1}}, "$unset": {"d": ""}, "$setOnInsert": {"e": 1}}, multi=False),
    update({}, {"$push": {"a": {"$each": [1], "$slice": -5}}, "$pull": {"b": {"$gt": 3}}, "$currentDate": {"c": True}}),
    update({}, {"$set": {"a.$[x].b": 1}}, arrayFilters=[{"x.c": {"$lt": 2}}]),
    {"delete": "reports", "deletes": [{"q": {"station_id": {"$in": ["a"]}}, "limit": 0}]},
    {"findAndModify": "runs", "query": {"_id": 1}, "update": {"$inc": {"n": 1}}, "new": True, "upsert": True},
    *({"create": name, "validator": {"$jsonSchema": schema}} for name, schema in VALIDATORS.items() if schema),
    {"collMod": "logs", "index": {"name": "newest", "expireAfterSeconds": 60}},
    {"collMod": "logs", "validator": {}, "validationLevel": "moderate", "validationAction": "error"},
    *({"createIndexes": name, "indexes": [one.document for one in indexes]} for name, indexes in INDEXES.items()),
    {
        "createIndexes": "logs",
        "indexes": [
            {"key": {"a": 1}, "name": "a", "unique": True, "sparse": True},
            {"key": {"b": -1}, "name": "b", "partialFilterExpression": {"b": {"$exists": True}}},
            {"key": {"t": 1}, "name": "t", "expireAfterSeconds": 60},
        ],
        "writeConcern": {"w": "majority", "j": True, "wtimeout": 1000},
    },
    {"listCollections": 1, "filter": {"name": "logs"}, "nameOnly": True, "cursor": {}},
    {"listIndexes": "logs", "cursor": {}},
    {"explain": find({}), "verbosity": "executionStats"},
    {"distinct": "logs", "key": "type", "query": {}},
    {"count": "logs", "query": {"type": "error"}},
    {"ping": 1, "$db": "admin"},
    {"hello": 1, "$db": "admin"},
    {"dbStats": 1},
    {"commitTransaction": 1, **TRANSACTION, "$db": "admin"},
]


@pytest.mark.parametrize("command", SUPPORTED, ids=lambda command: next(iter(command)))
def test_what_is_supported_passes(command: Document) -> None:
    """Every kind of command that barograph could have a use for, as drivers send it."""
    assert found(command) == []


REFUSED: Final[list[tuple[Document, list[tuple[str, str]]]]] = [
    # commands and their options
    ({"mapReduce": "a"}, [("mapReduce", "mapReduce")]),
    ({"replSetInitiate": {}}, [("replSetInitiate", "replSetInitiate")]),
    ({"createUser": "anna"}, [("createUser", "createUser")]),
    (find({}, allowDiskUse=True), [("find.allowDiskUse", "allowDiskUse")]),
    (find({}, collation={"locale": "fr"}), [("find.collation", "collation")]),
    (find({}, let={"a": 1}), [("find.let", "let")]),
    (find({}, noCursorTimeout=True), [("find.noCursorTimeout", "noCursorTimeout")]),
    (aggregate({"$count": "n"}) | {"let": {}}, [("aggregate.let", "let")]),
    ({"create": "a", "capped": True}, [("create.capped", "capped:true")]),
    ({"create": "a", "timeseries": {}}, [("create.timeseries", "timeseries")]),
    ({"create": "a", "collation": {}}, [("create.collation", "collation")]),
    ({"create": "a" * 58}, [("create", "a" * 58)]),
    ({"listCollections": 1, "filter": {"type": "view"}}, [("listCollections.filter.type", "type")]),
    ({"listCollections": 1, "authorizedCollections": True},
     [("listCollections.authorizedCollections", "authorizedCollections")]),
    ({"collMod": "a", "index": {"name": "b", "hidden": True}}, [("collMod.index.hidden", "hidden")]),
    ({"ping": 1, "$readPreference": {"mode": "nearest", "tags": []}}, [("ping.$readPreference.tags", "tags")]),
    # where
    ({"find": "oplog.rs", "filter": {}, "sort": {"ts": 1}, "$db": "local"}, [("find", "local")]),
    ({"insert": "system.users", "documents": []}, [("insert", "system.users")]),
    # concerns, sessions, transactions
    (find({}, readConcern={"level": "linearizable"}), [("find.readConcern.level", "linearizable")]),
    (find({}, readConcern={"afterClusterTime": 1}), [("find.readConcern.afterClusterTime", "'causal consistency'")]),
    (find({}, readConcern={"afterClusterTime": 1}, **TRANSACTION),
     [("find.readConcern.afterClusterTime", "'causal consistency'")]),
    ({"drop": "a", "writeConcern": {"j": False}}, [("drop.writeConcern.j", "j: false")]),
    ({"drop": "a", "writeConcern": {"fsync": True}}, [("drop.writeConcern.fsync", "fsync")]),
    ({"insert": "a", "documents": [], "txnNumber": 1}, [("insert.txnNumber", "txnNumber")]),
    ({"getMore": 1, "collection": "a", **TRANSACTION}, [("getMore", "getMore")]),
    ({"create": "a", **TRANSACTION}, [("create", "create")]),
    # filters
    (find({"$where": "1"}), [("find.filter.$where", "$where")]),
    (find({"$or": [{}, {"a": {"$near": []}}]}), [("find.filter.$or[1].a.$near", "$near")]),
    (find({"a": {"$not": {"$geoWithin": {}}}}), [("find.filter.a.$not.$geoWithin", "$geoWithin")]),
    (find({"a": {"$type": ["int", "long"]}}), [("find.filter.a.$type", "array for $type filter")]),
    (find({"a": {"$all": [{"$elemMatch": {}}]}}), [("find.filter.a.$all[0]", "$elemMatch")]),
    (find({"a": {"$elemMatch": {"b": {"$where": ""}}}}), [("find.filter.a.$elemMatch.b.$where", "$where")]),
    (find({"$expr": {"$eq": [{"$round": "$a"}, 1]}}), [("find.filter.$expr.$eq[0].$round", "$round")]),
    ({"delete": "a", "deletes": [{"q": {"$where": ""}, "limit": 1}]}, [("delete.deletes[0].q.$where", "$where")]),
    ({"count": "a", "query": {"$text": {}}}, [("count.query.$text", "$text")]),
    # projections, sorts
    (find({}, projection={"a": {"$round": "$b"}}), [("find.projection.a.$round", "$round")]),
    (find({}, projection={"a": "$b"}), [("find.projection.a", "$b")]),
    (find({}, projection={"a": {"$meta": "textScore"}}), [("find.projection.a.$meta", "$meta")]),
    (find({}) | {"sort": {"$natural": -1}}, [("find.sort.$natural", "$natural: -1")]),
    (find({}) | {"sort": {"a": {"$meta": "x"}}}, [("find.sort.a", "$meta")]),
    (find({}) | {"sort": {}}, [("find", "")]),
    (find({}) | {"sort": {}, "limit": 1}, [("find", "")]),
    (find({"_id": {"$in": ["a"]}}) | {"sort": {}}, [("find", "")]),
    (aggregate({"$match": {}}), [("aggregate", "")]),
    (aggregate({"$sort": {"a": 1}}, {"$limit": 1}), [("aggregate", "")]),
    (aggregate({"$sort": {"a": 1}}, {"$group": {"_id": "$a"}}, {"$project": {"b": 1}}), [("aggregate", "")]),
    # pipelines
    *((aggregate({stage: {}}, {"$sort": BY_ID}), [(f"aggregate.pipeline[0].{stage}", stage)])
      for stage in ("$facet", "$merge", "$set", "$unset", "$replaceWith", "$bucket", "$setWindowFields", "$unionWith",
                    "$sortByCount", "$graphLookup", "$densify", "$changeStream")),
    (aggregate({"$lookup": {"from": "a", "pipeline": [], "as": "b"}}, {"$sort": BY_ID}),
     [("aggregate.pipeline[0].$lookup.pipeline", "$lookup on multiple join conditions and uncorrelated subquery")]),
    (aggregate({"$out": {"db": "a", "coll": "b"}}), [("aggregate.pipeline[0].$out", "$out to another database")]),
    (aggregate({"$group": {"_id": None, "n": {"$percentile": {}}}}),
     [("aggregate.pipeline[0].$group.n.$percentile", "$percentile")]),
    (aggregate({"$group": {"_id": None, "n": {"$sum": {"$trunc": "$a"}}}}),
     [("aggregate.pipeline[0].$group.n.$sum.$trunc", "$trunc")]),
    (aggregate({"$group": {"_id": {"$dateTrunc": {}}, "n": {"$sum": 1}}}, {"$sort": BY_ID}),
     [("aggregate.pipeline[0].$group._id.$dateTrunc", "$dateTrunc")]),
    (aggregate({"$project": {"a": "$$REMOVE"}}, {"$sort": BY_ID}),
     [("aggregate.pipeline[0].$project.a", "$$REMOVE")]),
    (aggregate({"$addFields": {"a": {"$add": ["$$NOW", 1]}}}, {"$sort": BY_ID}),
     [("aggregate.pipeline[0].$addFields.a.$add[0]", "$$NOW")]),
    (aggregate({"$addFields": {"a": {"$filter": {"input": "$b", "cond": True, "limit": 1}}}}, {"$sort": BY_ID}),
     [("aggregate.pipeline[0].$addFields.a.$filter.limit", "limit")]),
    (aggregate({"$unwind": {"path": "$a", "other": 1}}, {"$sort": BY_ID}),
     [("aggregate.pipeline[0].$unwind.other", "other")]),
    ({"explain": aggregate({"$facet": {}})}, [("explain.aggregate.pipeline[0].$facet", "$facet"),
                                              ("explain.aggregate", "")]),
    # updates
    (update({}, [{"$set": {"a": 1}}]), [("update.updates[0].u", "an aggregation pipeline")]),
    (update({}, {"$bit": {"a": {"and": 1}}}), [("update.updates[0].u.$bit", "$bit")]),
    (update({}, {"$push": {"a": {"$each": [], "$where": 1}}}), [("update.updates[0].u.$push.a.$where", "$where")]),
    (update({}, {"$pull": {"a": {"$near": 1}}}), [("update.updates[0].u.$pull.a.$near", "$near")]),
    (update({}, {"$set": {}}, hint="a"), [("update.updates[0].hint", "hint")]),
    (update({}, {"$set": {}}, collation={}), [("update.updates[0].collation", "collation")]),
    ({"findAndModify": "a", "query": {}, "update": [{"$set": {}}]},
     [("findAndModify.update", "an aggregation pipeline")]),
    # what is stored
    ({"insert": "a", "documents": [{}, {"b": [{"c.d": 1}]}]}, [("insert.documents[1].b[0].c.d", "c.d")]),
    ({"insert": "a", "documents": [{"b": {"$c": 1}}]}, [("insert.documents[0].b.$c", "$c")]),
    ({"insert": "a", "documents": [{"_id": "é" * 1025}]}, [("insert.documents[0]._id", "2050 bytes")]),
    (update({}, {"a": {"b.c": 1}}), [("update.updates[0].u.a.b.c", "b.c")]),
    (update({}, {"$set": {"a": {"b.c": 1}}}), [("update.updates[0].u.$set.a.b.c", "b.c")]),
    # indexes and validators
    *(({"createIndexes": "a", "indexes": [{"key": {"b": 1}, "name": "b", option: {}}]},
       [(f"createIndexes.indexes[0].{option}", option)])
      for option in ("collation", "hidden", "v", "wildcardProjection", "storageEngine", "clustered")),
    *(({"createIndexes": "a", "indexes": [{"key": {"b": kind}}]}, [("createIndexes.indexes[0].key.b", kind)])
      for kind in ("hashed", "text", "2d")),
    ({"createIndexes": "a", "indexes": [{"key": {"$**": 1}}]}, [("createIndexes.indexes[0].key.$**", "$**")]),
    ({"createIndexes": "a", "indexes": [{"key": {str(n): 1 for n in range(33)}}]},
     [("createIndexes.indexes[0].key", "33")]),
    ({"createIndexes": "a", "indexes": [{"key": {}, "name": "x" * 256}]},
     [("createIndexes.indexes[0].name", "x" * 256)]),
    ({"createIndexes": "a", "indexes": [{"key": {}, "partialFilterExpression": {"$or": [{"b": {"$in": []}}]}}]},
     [("createIndexes.indexes[0].partialFilterExpression.$or", "$or"),
      ("createIndexes.indexes[0].partialFilterExpression.$or[0].b.$in", "$in")]),
    ({"createIndexes": "a", "indexes": [], "commitQuorum": 1}, [("createIndexes.commitQuorum", "commitQuorum")]),
    ({"create": "a", "validator": {"b": {"$gt": 1}}}, [("create.validator.b", "b")]),
    ({"create": "a", "validator": {"$jsonSchema": {"properties": {"b": {"items": {"$ref": "x"}}}}}},
     [("create.validator.$jsonSchema.properties.b.items.$ref", "$ref")]),
    ({"create": "a", "validator": {"$jsonSchema": {"anyOf": [True, {"bsonType": ["int", "symbol"]}]}}},
     [("create.validator.$jsonSchema.anyOf[1].bsonType", "symbol")]),
    ({"collMod": "a", "validationAction": "warn"}, [("collMod.validationAction", "warn")]),
    ({"collMod": "a", "validationLevel": "constraint"}, [("collMod.validationLevel", "constraint")]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_is_not_on_the_list_is_found(command: Document, expected: list[tuple[str, str]]) -> None:
    """Each kind of forbidden thing, alone in a command that is sound otherwise, with its place."""
    assert found(command) == expected


def test_what_may_be_tried_is_told_apart() -> None:
    """The view, the driver's goodbye and replica set commands are not violations, but noted."""
    tried: dict[str, Document] = {
        "create": {"create": "report_rows", "viewOn": "reports", "pipeline": VIEW_PIPELINE},
        "collMod": {"collMod": "report_rows", "viewOn": "reports", "pipeline": VIEW_PIPELINE},
        "endSessions": {"endSessions": []},
        "replSetGetStatus": {"replSetGetStatus": 1},
    }
    for name, command in tried.items():
        noted = violations(name, command)
        assert noted, name
        assert all(violation.optional is not None for violation in noted), [str(violation) for violation in noted]
    assert found({"create": "report_rows", "viewOn": "reports", "capped": True}) == [("create.capped", "capped:true")]


def test_of_a_command_that_may_not_be_seen_the_name_is_judged() -> None:
    """The driver shows nothing of a command that carries a password."""
    assert [str(violation) for violation in violations("createUser", {})] == [
        "createUser: createUser is not on the list"
    ]
    assert violations("ping", {}) == []


# Any depth: an expression of allowed parts passes, and one forbidden part in it is found at its place.
OPERATORS: Final = sorted(ALLOWED.names("expressions", "operators") - {"$literal", "$filter"})
ABSENT: Final = ("$round", "$trunc", "$dateTrunc", "$dateFromParts", "$getField", "$sortArray", "$setField", "$madeUp")
LEAVES: Final = st.none() | st.booleans() | st.integers() | st.sampled_from(["$a", "$$this", "text", "$$ROOT.a"])
EXPRESSIONS: Final = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(OPERATORS), inner, min_size=1, max_size=1),
        st.dictionaries(st.sampled_from(["x", "y", "input"]), inner, max_size=2),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_expressions_of_listed_operators_pass(expression: Any) -> None:
    """Whatever is put together of operators on the list."""
    assert found(aggregate({"$addFields": {"f": expression}}, {"$sort": BY_ID})) == []
    assert found(find({"$expr": expression})) == []


@given(
    st.lists(st.sampled_from([*OPERATORS, "a name", 0, 1]), max_size=6), st.sampled_from([*ABSENT, "$$REMOVE", "$$NOW"])
)
def test_one_forbidden_part_is_found_at_any_depth(way: list[str | int], absent: str) -> None:
    """Wrapped into operators, fields and lists, the violation is one, and its path is the way to it."""
    variable = absent.startswith("$$")
    expression: Any = absent if variable else {absent: "$a"}
    for step in reversed(way):
        expression = {step: expression} if isinstance(step, str) else [*([1] * step), expression]
    path = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in way)
    expected = [(f"aggregate.pipeline[0].$project.f{path}" + ("" if variable else f".{absent}"), absent)]
    assert found(aggregate({"$project": {"f": expression}}, {"$sort": BY_ID})) == expected


@given(st.lists(st.sampled_from(["$and", "$or", "$nor"]), max_size=5), st.sampled_from(["$where", "$text", "$geoNear"]))
def test_one_forbidden_condition_is_found_in_any_filter(way: list[str], absent: str) -> None:
    """Logical operators are entered, and so are $match and the filters of writes."""
    query: Document = {absent: 1}
    path = ""
    for step in reversed(way):
        query = {step: [{"fine": {"$gt": 1}}, query]}
        path = f".{step}[1]{path}"
    assert found(find(query)) == [(f"find.filter{path}.{absent}", absent)]
    assert found(aggregate({"$match": query}, {"$sort": BY_ID})) == [
        (f"aggregate.pipeline[0].$match{path}.{absent}", absent)
    ]
    assert found(update(query, {"$set": {}})) == [(f"update.updates[0].q{path}.{absent}", absent)]
