"""The schema's life in MongoDB: what version a database has, its creation, its migrations, the expiry of logs.

The version stands in `meta`, document `schema`. Creating and migrating are idempotent, and two programs may do either
at the same time: what the other was quicker to create is taken as it is. Functions raise pymongo's errors, and
SchemaError.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from barograph.model import utc_now
from barograph.store.mongo_errors import is_transient
from barograph.store.mongo_schema import EXPIRY, FORMER_INDEXES, INDEXES, VALIDATORS, VIEW, VIEW_PIPELINE
from barograph.store.schema import VERSION, Schema, refusal, titles

Document = dict[str, Any]

log = logging.getLogger(__name__)

NAMESPACE_EXISTS: Final = 48
INDEX_NOT_FOUND: Final = 27
NAMESPACE_NOT_FOUND: Final = 26
NOT_ALLOWED: Final = 13
"""A refusal of the user, not of a validator; those have no code to go by: AWS says that DocumentDB's may change."""
SCHEMA: Final = "schema"
RESTORE: Final = "restore"
RESTORED: Final = "restored"
"""Documents of `meta`."""
SECONDS_PER_DAY: Final = 86_400
_VIEW_STEP: Final = f"create the view {VIEW}"
_VALIDATOR_STEP: Final = "renew the validator of {}"


def check(database: Database[Document], *, where: str, writing: bool) -> None:
    """Raise SchemaError where this barograph may not read, or write, the database. One query; an empty one is made."""
    version, restoring = _said(database)
    if version is None and restoring is None and writing:
        version = _create_all(database)
    error = refusal(version, restoring, where=where, writing=writing)
    if error is not None:
        raise error


def state(database: Database[Document]) -> Schema:
    """The version, the steps that `migrate` would take, and an unfinished restore."""
    version, restoring = _said(database)
    if version is None:
        version = _unsaid(database)
    drift = tuple(_drift(database)) if version is not None and version <= VERSION else ()
    return Schema(version, titles(version) or drift, restoring)


def migrate(database: Database[Document], *, where: str) -> list[str]:
    """Take every pending step; the steps that were taken. Killed at any instant, the next call completes it."""
    found = state(database)
    error = refusal(found.version, found.restoring, where=where, writing=False)
    if error is not None:
        raise error
    if found.version is None:
        _create_all(database)
        return []
    refused = align(database)
    for name, former in FORMER_INDEXES.items():
        for index in former:
            _drop_index(database, name, index)
    mark_version(database, refused)
    return list(found.pending)


def mark_version(database: Database[Document], refused: list[str]) -> None:
    """Say in the database that it has the newest version; the last act of creation and of migration.

    `refused` is what the server would not have, so that nobody looks for it.
    """
    said = {"version": VERSION, "since": utc_now(), "without": refused}
    try:
        database["meta"].update_one({"_id": SCHEMA}, {"$set": said}, upsert=True)
    except DuplicateKeyError:
        # Another program was quicker to say the same.
        return


def align(database: Database[Document]) -> list[str]:
    """Create what is missing, and bring validators and the view up to date; the steps that the server refused."""
    existing = _collections(database)
    refused = []
    for name, schema in VALIDATORS.items():
        validator = {"$jsonSchema": schema} if schema else {}
        if name not in existing or existing[name].get("validator", {}) != validator:
            refused += _create_validated(database, name, validator)
    for name, indexes in INDEXES.items():
        if missing := _missing_indexes(database, name, indexes):
            database[name].create_indexes(missing)
    if existing.get(VIEW, {}).get("pipeline") != VIEW_PIPELINE:
        try:
            create(database, VIEW, {"viewOn": "reports", "pipeline": VIEW_PIPELINE})
        except OperationFailure as error:
            # DocumentDB has no views; nothing of ours reads this one.
            log.info("%s has no view %s: %s", database.name, VIEW, error)
            refused.append(_VIEW_STEP)
    return refused


def expire_logs(database: Database[Document], days: int) -> None:
    """Have the server delete log entries after so many days; 0: never (again)."""
    wanted = days * SECONDS_PER_DAY or None
    indexes = {index["name"]: index for index in database["logs"].list_indexes()}
    if indexes.get(EXPIRY, {}).get("expireAfterSeconds") == wanted:
        return
    if EXPIRY in indexes:
        _drop_index(database, "logs", EXPIRY)
    if wanted is not None:
        index = IndexModel([("timestamp", ASCENDING)], name=EXPIRY, expireAfterSeconds=wanted)
        database["logs"].create_indexes([index])


def create(database: Database[Document], name: str, options: Document) -> None:
    """Create a collection or view, or give the one that exists these options."""
    try:
        database.command({"create": name, **options})
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise
        if options:
            database.command({"collMod": name, **options})


def _said(database: Database[Document]) -> tuple[int | None, str | None]:
    """The version and the unfinished restore that `meta` tells of."""
    found = database["meta"].find({"_id": {"$in": [SCHEMA, RESTORE]}}).sort("_id", ASCENDING)
    documents = {document["_id"]: document for document in found}
    return documents.get(SCHEMA, {}).get("version"), documents.get(RESTORE, {}).get("backup")


def _unsaid(database: Database[Document]) -> int | None:
    """The version of a database that did not say it: 1 where it holds something, else None.

    Another program may have made the schema since it was asked. It says so before it writes anything else, so whoever
    sees something of its sees that, too.
    """
    existing = _collections(database)
    held = (name for name in VALIDATORS if name in existing and database[name].find_one({}, {"_id": 1}) is not None)
    return None if next(held, None) is None else _said(database)[0] or 1


def _create_all(database: Database[Document]) -> int:
    """Make the schema of an empty database, which killed half-way is made by the next; the version that it has."""
    if (version := _unsaid(database)) is not None:
        return version
    mark_version(database, align(database))
    return VERSION


def _drift(database: Database[Document]) -> list[str]:
    """What is missing of the newest version's schema, or is not as it should be."""
    existing = _collections(database)
    found = []
    for name, schema in VALIDATORS.items():
        if name not in existing:
            found.append(f"create the collection {name}")
        elif schema and existing[name].get("validator", {}) != {"$jsonSchema": schema}:
            found.append(_VALIDATOR_STEP.format(name))
    for name, indexes in INDEXES.items():
        missing = _missing_indexes(database, name, indexes) if name in existing else []
        found += [f"create the index {index.document['name']} of {name}" for index in missing]
    if existing.get(VIEW, {}).get("pipeline") != VIEW_PIPELINE:
        found.append(_VIEW_STEP)
    said = database["meta"].find_one({"_id": SCHEMA}) or {}
    return [step for step in found if step not in said.get("without", ())]


def _collections(database: Database[Document]) -> dict[str, Document]:
    return {item["name"]: item.get("options", {}) for item in database.list_collections()}


def _missing_indexes(database: Database[Document], name: str, indexes: list[IndexModel]) -> list[IndexModel]:
    known = {index["name"] for index in database[name].list_indexes()}
    return [index for index in indexes if index.document["name"] not in known]


def _create_validated(database: Database[Document], name: str, validator: Document) -> list[str]:
    """The step as refused, where the server does not take the validator; the collection is made nonetheless."""
    try:
        create(database, name, {"validator": validator} if validator else {})
    except OperationFailure as error:
        if not validator or error.code == NOT_ALLOWED or is_transient(error):
            raise
        log.warning("%s.%s has no validator, the server refuses ours: %s", database.name, name, error)
        create(database, name, {})
        return [_VALIDATOR_STEP.format(name)]
    return []


def _drop_index(database: Database[Document], collection: str, index: str) -> None:
    try:
        database[collection].drop_index(index)
    except OperationFailure as error:
        if error.code not in (INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND):
            raise
