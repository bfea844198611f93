"""What the MongoDB database consists of: collections, validators, indexes and the view (made by `mongo_migrate`)."""

from __future__ import annotations

from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel

from barograph.variables import NAMES, VARIABLES

Document = dict[str, Any]

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
    "meta": {},
}
"""The `$jsonSchema` of each collection; {} for none. Keywords are those that DocumentDB 5.0 knows as well."""

_NEWEST: Final = [("timestamp", DESCENDING), ("_id", DESCENDING)]
INDEXES: Final[dict[str, list[IndexModel]]] = {
    # The fields behind the day let summaries be computed, and let a backup see what changed while it was made, from the
    # index, without fetching 40 kB for each day.
    "reports": [
        IndexModel(
            [(name, ASCENDING) for name in ("station_id", "day", "count", "first", "last", "revision")],
            name="days_of_station",
        )
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
FORMER_INDEXES: Final = {"reports": ("station_day",)}
"""Indexes of older versions, which `migrate` removes."""
EXPIRY: Final = "expiry"
"""The TTL index of `logs`, where [store] log_days asks for one."""


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
