"""Collections, validators, indexes and the view of the MongoDB database; creating them is idempotent.

Two programs may do it at the same time: what the other was quicker to create is taken as it is.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

from barograph.store.mongo_client import is_transient
from barograph.variables import NAMES, VARIABLES

Document = dict[str, Any]

log = logging.getLogger(__name__)

NAMESPACE_EXISTS: Final = 48
NOT_ALLOWED: Final = 13
"""A refusal of the user, not of a validator; those have no code to go by: AWS says that DocumentDB's may change."""
VIEW: Final = "report_rows"
"""One document per report, where the server has views."""


def _typed(*types: str) -> Document:
    return {"bsonType": list(types)}


def _array(*types: str) -> Document:
    return {"bsonType": "array", "items": _typed(*types)}


def _object(properties: Document, required: list[str] | None = None, *, closed: bool = False) -> Document:
    schema: Document = {"bsonType": "object", "properties": properties}
    if required:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    return schema


_WHOLE: Final = ("int", "long")
_NUMBER: Final = ("double", "int", "long")
_SUMMARY: Final = {"count": _typed(*_WHOLE), "first": _typed("date", "null"), "last": _typed("date", "null")}
_VALUES: Final = {"float": _array("double", "null"), "int": _array("int", "null"), "text": _array("string", "null")}
_FLAGS: Final = _object({"index": _array("int"), "flag": _array("int")}, ["index", "flag"], closed=True)
_ORIGIN: Final = _object(
    {
        "index": _array("int"),
        "extracted_at": _array("date", "null"),
        "source": _array("int", "null"),
        "line": _array("int", "null"),
    },
    ["index", "extracted_at", "source", "line"],
    closed=True,
)

VALIDATORS: Final[dict[str, Document]] = {
    "stations": _object(
        {
            "_id": _typed("string"),
            **{name: _typed("string") for name in ("name", "city", "type", "hardware", "software", "license_info")},
            "timezone": _typed("string"),
            "latitude": {**_typed(*_NUMBER), "minimum": -90, "maximum": 90},
            "longitude": {**_typed(*_NUMBER), "minimum": -180, "maximum": 180},
            "elevation": _typed(*_WHOLE),
            "described_at": _typed("date"),
            "reports": _object(_SUMMARY, ["count", "first", "last"], closed=True),
        },
        ["_id", "reports"],
    ),
    "reports": _object(
        {
            "_id": _typed("string"),
            "station_id": _typed("string"),
            "day": _typed("date"),
            "revision": {**_typed(*_WHOLE), "minimum": 1},
            "count": {**_typed(*_WHOLE), "minimum": 1},
            "first": _typed("date"),
            "last": _typed("date"),
            "writer": _typed("string"),
            "reports": _object(
                {"utc_time": _array("date"), **{variable.name: _VALUES[variable.kind] for variable in VARIABLES}},
                ["utc_time"],
                closed=True,
            ),
            "flags": _object(dict.fromkeys(NAMES, _FLAGS), closed=True),
            "sources": _array("string"),
            "extracted_at": _array("date"),
            "source": _array("int"),
            "line": _array("int", "null"),
            "origins": _object(dict.fromkeys(NAMES, _ORIGIN), closed=True),
        },
        [
            "_id",
            "station_id",
            "day",
            "revision",
            "count",
            "first",
            "last",
            "reports",
            "sources",
            "extracted_at",
            "source",
        ],
    ),
    "logs": _object(
        {"timestamp": _typed("date"), "type": _typed("string"), "msg": _typed("string"), "context": _typed("object")},
        ["timestamp", "type", "msg", "context"],
    ),
    "objects": {},
    "runs": {},
}
"""The `$jsonSchema` of each collection; {} for none. Keywords are those that DocumentDB 5.0 knows as well."""

_NEWEST: Final = [("timestamp", DESCENDING), ("_id", DESCENDING)]
INDEXES: Final[dict[str, list[IndexModel]]] = {
    # The last three fields let the summaries be computed from the index, without fetching 40 kB for each day.
    "reports": [
        IndexModel([(name, ASCENDING) for name in ("station_id", "day", "count", "first", "last")], name="station_day")
    ],
    "logs": [
        IndexModel(_NEWEST, name="newest"),
        IndexModel([("type", ASCENDING), *_NEWEST], name="newest_of_type"),
        IndexModel([("context.run_id", ASCENDING), *_NEWEST], name="newest_of_run"),
    ],
    "objects": [IndexModel([("stream", ASCENDING)], name="stream")],
    "runs": [IndexModel([("started", DESCENDING), ("_id", DESCENDING)], name="newest")],
}
"""Only what a query of the engine uses."""


def _cell(column: str) -> Document:
    """The cell of a column in the report at $place; no field where it is null."""
    return {"$ifNull": [{"$arrayElemAt": [f"${column}", "$place"]}, "$$REMOVE"]}


_FLAGS_HERE: Final[Document] = {
    "$arrayToObject": {
        "$map": {
            "input": {
                "$filter": {
                    "input": {"$objectToArray": "$flags"},
                    "as": "f",
                    "cond": {"$in": ["$place", "$$f.v.index"]},
                }
            },
            "as": "f",
            "in": {
                "k": "$$f.k",
                "v": {"$arrayElemAt": ["$$f.v.flag", {"$indexOfArray": ["$$f.v.index", "$place"]}]},
            },
        }
    }
}

# station_id and day pass through every stage untouched, so the server moves a $match on them to the front, onto the
# index; $replaceRoot would bar its way.
VIEW_PIPELINE: Final[list[Document]] = [
    {
        "$project": {
            **dict.fromkeys(("station_id", "day", "reports", "flags", "sources", "source", "line"), 1),
            "place": {"$range": [0, "$count"]},
        }
    },
    {"$unwind": "$place"},
    {
        "$project": {
            "_id": {"$concat": ["$_id", "#", {"$toString": "$place"}]},
            "station_id": 1,
            "day": 1,
            "utc_time": {"$arrayElemAt": ["$reports.utc_time", "$place"]},
            **{name: _cell(f"reports.{name}") for name in NAMES},
            "flags": {"$cond": [{"$gt": ["$flags", None]}, _FLAGS_HERE, "$$REMOVE"]},
            "object": {"$arrayElemAt": ["$sources", {"$arrayElemAt": ["$source", "$place"]}]},
            "line": _cell("line"),
        }
    },
]


def prepare(database: Database[Document]) -> None:
    """Create what is missing, and bring validators and the view up to date. Raises pymongo's errors.

    Where everything stands, nothing is sent that would need more than the right to read.
    """
    existing = {item["name"]: item.get("options", {}) for item in database.list_collections()}
    for name, schema in VALIDATORS.items():
        validator = {"$jsonSchema": schema} if schema else {}
        if name not in existing or existing[name].get("validator", {}) != validator:
            _create_validated(database, name, validator)
    for name, indexes in INDEXES.items():
        known = {index["name"] for index in database[name].list_indexes()}
        if missing := [index for index in indexes if index.document["name"] not in known]:
            database[name].create_indexes(missing)
    if existing.get(VIEW, {}).get("pipeline") != VIEW_PIPELINE:
        try:
            _create(database, VIEW, {"viewOn": "reports", "pipeline": VIEW_PIPELINE})
        except OperationFailure as error:
            # DocumentDB has no views; nothing of ours reads this one.
            log.info("%s has no view %s: %s", database.name, VIEW, error)


def _create_validated(database: Database[Document], name: str, validator: Document) -> None:
    try:
        _create(database, name, {"validator": validator} if validator else {})
    except OperationFailure as error:
        if not validator or error.code == NOT_ALLOWED or is_transient(error):
            raise
        log.warning("%s.%s has no validator, the server refuses ours: %s", database.name, name, error)
        _create(database, name, {})


def _create(database: Database[Document], name: str, options: Document) -> None:
    """Create a collection or view, or give the one that exists these options."""
    try:
        database.command({"create": name, **options})
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise
        if options:
            database.command({"collMod": name, **options})
