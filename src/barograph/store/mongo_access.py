"""How MongoDB finds a span's documents, and when they are there: `Store.explain` and `Store.fetch` of the engine.

Servers tell their plans in different words. MongoDB nests `inputStage`s under `winningPlan`, under `queryPlan` where
the slot-based engine runs it, and under `shards` behind mongos; DocumentDB tells stages and the index, and not what was
examined. What is not told stays unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from time import perf_counter
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import OperationFailure

from barograph.errors import StoreError
from barograph.model import iso
from barograph.store.base import AccessPlan, Fetch
from barograph.store.mongo_client import MongoLink

Document = dict[str, Any]

ID_INDEX: Final = "_id_"
BELOW: Final = ("winningPlan", "queryPlan", "inputStage", "inputStages", "outerStage", "innerStage", "shards")
"""Where a stage keeps those that feed it."""

_NAME: Final = re.compile(r"[$A-Za-z_][$\w]*")


def fetched(ask: Callable[[], Cursor[RawBSONDocument]]) -> Fetch:
    """Take everything out of the cursor that `ask` makes. Raises pymongo's errors."""
    begun = perf_counter()
    cursor = ask()
    lazy = perf_counter() - begun
    first = None
    documents = size = 0
    for document in cursor:
        if first is None:
            first = perf_counter() - begun
        documents += 1
        size += len(document.raw)
    return Fetch(documents, size, lazy, first, perf_counter() - begun)


def explained(
    link: MongoLink,
    collection: Collection[RawBSONDocument],
    query: Document,
    projection: Document,
    order: list[tuple[str, int]],
) -> AccessPlan:
    """The plan of a find; a server that refuses to explain it is quoted."""
    sort = dict(order)
    text = f"db.{collection.name}.find({shell(query)}, {shell(projection)}).sort({shell(sort)})"
    find = {"find": collection.name, "filter": query, "projection": projection, "sort": sort}
    command = {"explain": find, "verbosity": "executionStats"}
    try:
        # As a command: the driver's Cursor.explain asks for allPlansExecution, and sends it with a read concern.
        said = link.run("explain", lambda: link.database.command(command, read_preference=collection.read_preference))
    except StoreError as error:
        if error.retryable or not isinstance(error.__cause__, OperationFailure):
            raise
        return AccessPlan(text, refused=error.what)
    return plan_of(text, said)


def plan_of(query: str, said: Mapping[str, Any]) -> AccessPlan:
    """What an explained find tells."""
    stages = list(_stages(said.get("queryPlanner", {})))
    indexes = [name for stage in stages if (name := _index(stage)) is not None]
    executed = said.get("executionStats", {})
    return AccessPlan(
        query,
        tuple(stage["stage"] for stage in stages),
        " ".join(dict.fromkeys(indexes)) or None,
        _whole(executed.get("totalKeysExamined")),
        _whole(executed.get("totalDocsExamined")),
    )


def _stages(plan: Any) -> Iterator[Mapping[str, Any]]:
    """The stages of a plan, each before those that feed it."""
    if isinstance(plan, list):
        for part in plan:
            yield from _stages(part)
    elif isinstance(plan, Mapping):
        if isinstance(plan.get("stage"), str):
            yield plan
        for name in BELOW:
            yield from _stages(plan.get(name))


def _index(stage: Mapping[str, Any]) -> str | None:
    name = stage.get("indexName")
    return name if isinstance(name, str) else ID_INDEX if stage["stage"] == "IDHACK" else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def shell(value: Any) -> str:
    """`value` as one types it in mongosh."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {shell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shell, value)) + "]"
    return f'ISODate("{iso(value)}")' if isinstance(value, datetime) else json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)
