"""Backups' side of the MongoDB engine: every document read in pages, a database filled under a mark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel, InsertOne, ReadPreference
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from barograph.model import utc_now
from barograph.store.archive import COLLECTIONS, Engine
from barograph.store.mongo_client import MongoLink
from barograph.store.mongo_errors import DUPLICATE_KEY, is_transient
from barograph.store.mongo_migrate import RESTORE, RESTORED, align, create, mark_version
from barograph.store.mongo_schema import VIEW

Document = dict[str, Any]

PAGE: Final = {"reports": 256, "objects": 100}
"""Documents fetched at a time: some 10 MB of days; an object's coverage may name very many stations."""
OTHER_PAGE: Final = 2_000
OPTIONS: Final = ("validator", "validationLevel", "validationAction", "viewOn", "pipeline")
"""What `create` takes of what the server tells of a collection: DocumentDB tells autoIndexId, and does not take it."""
RAW: Final = bson.CodecOptions(document_class=RawBSONDocument)


class MongoArchive:
    """A `StoreArchive` over a link."""

    engine: Engine = "mongodb"

    def __init__(self, link: MongoLink) -> None:
        self._link = link

    @contextmanager
    def reading(self) -> Iterator[MongoReading]:
        """As `StoreArchive.reading`."""
        yield MongoReading(self._link)

    @contextmanager
    def restoring(self, backup_id: str, definitions: Document | None) -> Iterator[MongoRestoring]:
        """As `StoreArchive.restoring`."""
        database = self._link.database
        mark = {"backup": backup_id, "since": utc_now()}
        self._link.run(
            "mark the restore", lambda: database["meta"].update_one({"_id": RESTORE}, {"$set": mark}, upsert=True)
        )
        self._link.run("empty the database", self._drop)
        refused = self._link.run("create the schema", lambda: self._define(definitions))
        yield MongoRestoring(self._link)
        self._link.run("create the schema", lambda: mark_version(database, refused))
        self._link.run(
            "note the restore", lambda: database["meta"].update_one({"_id": RESTORED}, {"$set": mark}, upsert=True)
        )
        self._link.run("unmark the restore", lambda: database["meta"].delete_one({"_id": RESTORE}))

    def _drop(self) -> None:
        for name in (VIEW, *COLLECTIONS):
            self._link.database.drop_collection(name)

    def _define(self, definitions: Document | None) -> list[str]:
        """Collections, validators, indexes and views as they were; what is missing of today's comes as well."""
        database = self._link.database
        for name, made in (definitions or {}).items():
            create(database, name, made["options"])
            indexes = [
                IndexModel([tuple(pair) for pair in index["key"]], name=index["name"], **index["options"])
                for index in made["indexes"]
            ]
            if indexes:
                database[name].create_indexes(indexes)
        return align(database)

    def held(self) -> dict[str, int]:
        """As `StoreArchive.held`, by the server's own counts."""
        database = self._link.database
        counted = self._link.run("count documents", lambda: {name: _held(database[name]) for name in COLLECTIONS})
        return {name: count for name, count in counted.items() if count}

    def definitions(self) -> Document:
        """Collection or view -> its options and its indexes, those that were added by hand included."""
        return self._link.run("read the schema", self._definitions)

    def _definitions(self) -> Document:
        database = self._link.database
        found: Document = {}
        for item in sorted(database.list_collections(), key=lambda item: str(item["name"])):
            name = item["name"]
            if name in COLLECTIONS or name == VIEW:
                indexes = [] if name == VIEW else [_plain_index(index) for index in database[name].list_indexes()]
                kept = [index for index in indexes if index["name"] != "_id_"]
                options = {key: item["options"][key] for key in OPTIONS if key in item.get("options", {})}
                found[name] = {"options": options, "indexes": sorted(kept, key=lambda index: str(index["name"]))}
        # A view stands on a collection, which has to be made first.
        return {name: made for name, made in found.items() if name != VIEW} | {
            name: made for name, made in found.items() if name == VIEW
        }


class MongoReading:
    """A `Reading`; pages by `_id`, so that no cursor is open while a part is being written elsewhere."""

    def __init__(self, link: MongoLink) -> None:
        self._link = link
        self._days = 0
        self._ledger = hashlib.sha256()

    def documents(self, collection: str) -> Iterator[bytes]:
        """As `Reading.documents`."""
        for raw in _pages(self._link, collection):
            if collection == "reports":
                document = RawBSONDocument(raw)
                self._days ^= _mark(document["_id"], document["revision"])
            elif collection == "objects":
                self._ledger.update(raw)
            yield raw

    def unchanged(self) -> bool:
        """As `Reading.unchanged`; the days' revisions are read from the index alone."""
        ledger = hashlib.sha256()
        for raw in _pages(self._link, "objects"):
            ledger.update(raw)
        return self._days == self._link.run("compare revisions", self._revisions) and (
            ledger.digest() == self._ledger.digest()
        )

    def _revisions(self) -> int:
        fields = {"_id": 0, "station_id": 1, "day": 1, "revision": 1}
        found = 0
        for document in _collection(self._link, "reports").find({}, fields).sort([("station_id", 1), ("day", 1)]):
            found ^= _mark(f"{document['station_id']}:{document['day']:%Y-%m-%d}", document["revision"])
        return found


class MongoRestoring:
    """A `Restoring`."""

    def __init__(self, link: MongoLink) -> None:
        self._link = link

    def insert(self, collection: str, documents: Sequence[bytes]) -> None:
        """As `Restoring.insert`; repeated over elections, where a document that is there already was ours."""
        remaining: list[InsertOne[Any]] = [InsertOne(RawBSONDocument(raw)) for raw in documents]

        def attempt() -> None:
            try:
                _collection(self._link, collection).bulk_write(remaining, ordered=False)
            except BulkWriteError as error:
                told = error.details.get("writeErrors", [])
                if is_transient(error) or any(item["code"] != DUPLICATE_KEY for item in told):
                    raise

        self._link.run(f"restore {collection}", attempt)

    def documents(self, collection: str) -> Iterator[bytes]:
        """As `Restoring.documents`."""
        return _pages(self._link, collection)


def _collection(link: MongoLink, name: str, options: bson.CodecOptions[Any] | None = None) -> Collection[Any]:
    return link.database.get_collection(
        name, codec_options=options, read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
    )


def _pages(link: MongoLink, name: str) -> Iterator[bytes]:
    collection, size = _collection(link, name, RAW), PAGE.get(name, OTHER_PAGE)
    hidden = {"writer": 0} if name == "reports" else None
    query: Document = {}
    while True:
        page = _fetch(link, collection, query, hidden, size)
        for document in page:
            yield _by_name(document) if name == "stations" else bytes(document.raw)
        if len(page) < size:
            return
        query = {"_id": {"$gt": page[-1]["_id"]}}


def _fetch(
    link: MongoLink, collection: Collection[RawBSONDocument], query: Document, hidden: Document | None, size: int
) -> list[RawBSONDocument]:
    return link.run(f"read {collection.name}", lambda: list(collection.find(query, hidden).sort("_id", 1).limit(size)))


def _by_name(document: RawBSONDocument) -> bytes:
    """A station with its fields in alphabetical order: the server keeps that in which they were first said."""
    return bson.encode(dict(sorted(document.items())))


def _mark(key: str, revision: int) -> int:
    """A number for a day at a revision; those of all days together, in any order, tell whether one has changed."""
    return int.from_bytes(hashlib.sha256(f"{key} {revision}".encode()).digest()[:16], "big")


def _held(collection: Collection[Any]) -> int:
    # The count from the metadata may lag behind after a crash; whether there is anything must be certain.
    return 0 if collection.find_one({}, {"_id": 1}) is None else max(1, collection.estimated_document_count())


def _plain_index(index: Mapping[str, Any]) -> Document:
    options = {name: value for name, value in index.items() if name not in ("key", "name", "v", "ns")}
    return {"name": index["name"], "key": [list(pair) for pair in index["key"].items()], "options": options}
