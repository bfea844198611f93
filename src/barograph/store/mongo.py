"""The production engine: MongoDB, or Amazon DocumentDB 5.0; one columnar document per station-day (`day_document`).

Writes are acknowledged by a majority, and the job reads what a majority has from the primary, so that no failover takes
back what was built upon. A store that is opened for reading only asks where the URI's readPreference sends it, so that
it can do without a primary. Nothing asks for more than DocumentDB 5.0 has: no retryable writes, no update pipelines,
explicit sorts. The schema is created before the first write, so that a user who may only read can open the store.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any, Final, TypeVar

import polars as pl
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReadPreference, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from barograph.model import LedgerEntry, LogEntry, RunReport, Station, StoreWaits
from barograph.store import day_document, mongo_documents, mongo_migrate, mongo_scratch
from barograph.store.base import AccessPlan, DayKey, Fetch, LogQuery, StationDay, StoredStation, SyncEntry
from barograph.store.mongo_access import explained, fetched
from barograph.store.mongo_archive import MongoArchive
from barograph.store.mongo_client import MongoLink
from barograph.store.mongo_documents import NO_REPORTS, Document
from barograph.store.mongo_errors import DUPLICATE_KEY, is_transient
from barograph.store.schema import Schema
from barograph.store.span import Span, check_variables, cut, nothing
from barograph.store.sync_entries import SYNC_FIELDS, sync_entries

T = TypeVar("T")
D = TypeVar("D", bound=Mapping[str, Any])
Operations = list[InsertOne[Document] | ReplaceOne[Document] | UpdateOne]

REPORTS_PER_BULK: Final = 100_000
"""About 18 MB: bounds what a retry repeats; the driver itself splits at the server's 48 MB."""
DAYS_PER_BATCH: Final = 32
"""A year arrives in 14 ms in batches of 32 days (1 MB), in 43 in the server's own of 16 MB, which the allocator hands
back to the system and has to fetch anew, page by page."""
DAYS_PER_FETCH: Final = 64
DAYS_PER_DELETE: Final = 5_000
IDS_PER_QUERY: Final = 1_000
LONGEST_MIGRATION: Final = 4 * 3600.0
"""Seconds for which the server may build one index; a million station-days are some 20 GB to read through."""
FEW_DAYS: Final = 3
"""Up to so many days are fetched by `_id`, which takes 30 µs less than the range on (station_id, day)."""
BY_ID: Final = [("_id", 1)]
BY_DAY: Final = [("day", 1)]
VERIFICATIONS: Final = 5

AWARE: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True, tzinfo=UTC)
RAW: Final = CodecOptions(document_class=RawBSONDocument)
SYNCS: Final = dict.fromkeys(("command", *(f"connections.{name}" for name in SYNC_FIELDS)), 1)
PROVENANCE: Final = ("extracted_at", "source", "line", "sources")


class MongoStore:
    """A `Store` in one database of a MongoDB or DocumentDB server; it connects at the first call.

    `patience` bounds (seconds) how long a call is repeated while no server answers or none is primary. With `reading`
    it is a StoreReader: its calls go where the URI's readPreference sends them; otherwise to the primary.
    """

    def __init__(self, url: str, *, patience: float = 60.0, reading: bool = False) -> None:
        self._link = MongoLink(url, patience=patience)
        self._whole_url = url
        database = self._link.database.with_options(codec_options=AWARE)
        if not reading:
            settled = ReadConcern("majority")
            database = database.with_options(read_preference=ReadPreference.PRIMARY, read_concern=settled)
        self._database = database
        self._documents = database.get_collection("reports").with_options(codec_options=RAW)
        self._checked: set[bool] = set()
        self._checking = threading.Lock()

    @property
    def url(self) -> str:
        """The URI, without its password."""
        return self._link.url

    @property
    def archive(self) -> MongoArchive:
        """As `Store.archive`."""
        return MongoArchive(self._link)

    @contextmanager
    def scratch(self) -> Iterator[MongoStore]:
        """As `Store.scratch`: a database beside this one; the user needs the right to make and to drop it."""
        link = self._link
        link.run("remove old scratch databases", lambda: mongo_scratch.sweep(link))
        name = mongo_scratch.new_name(link)
        with closing(MongoStore(mongo_scratch.with_database(self._whole_url, name), patience=link.patience)) as store:
            try:
                yield store
            finally:
                link.run("remove the scratch database", lambda: mongo_scratch.drop(link, name))

    def load_days(self, keys: Sequence[DayKey]) -> dict[DayKey, StationDay]:
        """As `Store.load_days`."""
        loaded: dict[DayKey, StationDay] = {}
        for chunk in _chunks(keys, DAYS_PER_FETCH):
            query = {"_id": {"$in": [str(key) for key in chunk]}}
            for document in self._find("load days", self._documents, query, BY_ID):
                day = day_document.decode(document, where=self.url)
                loaded[day.key] = day
        return loaded

    def save_days(self, days: Sequence[StationDay]) -> set[DayKey]:
        """As `Store.save_days`; each day on its own, so an error may leave some saved and others not."""
        lost: set[DayKey] = set()
        batch: list[StationDay] = []
        size = 0
        for day in days:
            batch.append(day)
            size += day.frame.height
            if size >= REPORTS_PER_BULK:
                lost |= self._save(batch)
                batch, size = [], 0
        return lost | self._save(batch) if batch else lost

    def _save(self, days: list[StationDay]) -> set[DayKey]:
        """One unordered bulk.

        An insert that finds its day, or a replacement that does not find its revision, has lost, unless the day
        carries our token: then it is our own write, whose acknowledgement a failing connection swallowed.
        """
        token = uuid.uuid4().hex
        documents = [day_document.encode(day, writer=token) for day in days]
        operations: Operations = [
            ReplaceOne({"_id": document["_id"], "revision": day.revision}, document)
            if day.revision
            else InsertOne(document)
            for day, document in zip(days, documents, strict=True)
        ]
        replaced = [document["_id"] for day, document in zip(days, documents, strict=True) if day.revision]

        def attempt() -> list[str]:
            try:
                matched, refused = self._collection("reports").bulk_write(operations, ordered=False).matched_count, []
            except BulkWriteError as error:
                if not _only_duplicates(error):
                    raise
                matched = error.details["nMatched"]
                refused = [documents[item["index"]]["_id"] for item in error.details["writeErrors"]]
            return refused + (replaced if matched < len(replaced) else [])

        doubtful = self._write("save days", attempt)
        landed: set[str] = set()
        for chunk in _chunks(doubtful, IDS_PER_QUERY):
            query = {"_id": {"$in": chunk}, "writer": token}
            found = self._find("save days", self._collection("reports"), query, BY_ID, projection={"_id": 1})
            landed |= {document["_id"] for document in found}
        lost = set(doubtful) - landed
        return {day.key for day in days if str(day.key) in lost} if lost else set()

    def read(
        self,
        station_id: str,
        start: datetime,
        end: datetime,
        *,
        variables: Sequence[str] | None = None,
        provenance: bool = False,
    ) -> pl.DataFrame:
        """As `Store.read`; each day is one state, days of a span may be of different moments."""
        span = Span.of(start, end)
        check_variables(variables)
        frame = None
        if not span.empty:
            projection = _projection(variables, provenance=provenance)
            where = f"{self.url}, {station_id} {span.first_day} to {span.last_day}"
            frame = self._read(
                "read reports",
                lambda: day_document.decode_days(self._cursor(station_id, span, projection), where=where),
            )
        if frame is None:
            return nothing(variables, provenance=provenance)
        return cut(frame, span, variables, provenance=provenance)

    def _cursor(self, station_id: str, span: Span, projection: Document) -> Cursor[RawBSONDocument]:
        """The documents of a span, none of them asked for yet."""
        query, order = _span_query(station_id, span)
        return self._documents.find(query, projection).sort(order).batch_size(DAYS_PER_BATCH)

    def explain(self, station_id: str, start: datetime, end: datetime) -> AccessPlan:
        """As `Store.explain`: the winning plan and what it examined, from a server that `read` may go to."""
        span = Span.of(start, end)
        query, order = _span_query(station_id, span)
        return explained(self._link, self._documents, query, _projection(None, provenance=False), order)

    def fetch(self, station_id: str, start: datetime, end: datetime) -> Fetch:
        """As `Store.fetch`."""
        span, projection = Span.of(start, end), _projection(None, provenance=False)
        return self._link.run("fetch reports", lambda: fetched(lambda: self._cursor(station_id, span, projection)))

    def days(self, station_id: str, start: date, end: date) -> Iterator[StationDay]:
        """As `Store.days`; 64 days are held at a time, and no cursor between them."""
        low, operator = start, "$gte"
        while True:
            query = {"station_id": station_id, "day": {operator: _midnight(low), "$lt": _midnight(end)}}
            documents = self._find("read days", self._documents, query, BY_DAY, limit=DAYS_PER_FETCH)
            for document in documents:
                day = day_document.decode(document, where=self.url)
                yield day
                low, operator = day.key.day, "$gt"
            if len(documents) < DAYS_PER_FETCH:
                return

    def delete_days(self) -> None:
        """As `Store.delete_days`, some thousand days at a time; the stations' summaries go to zero afterwards."""
        # Sorted first: so the server counts in the index and reads no document.
        pipeline: list[Document] = [
            {"$sort": {"station_id": 1}},
            {"$group": {"_id": "$station_id", "days": {"$sum": 1}}},
        ]
        chunk: list[str] = []
        size = 0
        for station in self._aggregate("delete days", pipeline):
            chunk.append(station["_id"])
            size += station["days"]
            if size >= DAYS_PER_DELETE:
                self._delete_days_of(chunk)
                chunk, size = [], 0
        self._delete_days_of(chunk)
        everything: Document = {}
        self._write(
            "reset summaries",
            lambda: self._collection("stations").update_many(everything, {"$set": {"reports": NO_REPORTS}}),
        )

    def _delete_days_of(self, station_ids: list[str]) -> None:
        query = {"station_id": {"$in": station_ids}}
        self._write("delete days", lambda: self._collection("reports").delete_many(query))

    def stations(self, station_ids: Sequence[str] | None = None) -> list[StoredStation]:
        """As `Store.stations`."""
        query: Document = {} if station_ids is None else {"_id": {"$in": list(station_ids)}}
        documents = self._find("list stations", self._collection("stations"), query, BY_ID)
        return [mongo_documents.stored_station(document) for document in documents]

    def put_stations(self, stations: Mapping[Station, datetime | None]) -> None:
        """As `Store.put_stations`; each station on its own."""
        self._bulk(
            "put stations",
            "stations",
            [
                UpdateOne({"_id": station.station_id}, mongo_documents.describing(station, described_at), upsert=True)
                for station, described_at in stations.items()
            ],
        )

    def refresh_summaries(self, station_ids: Iterable[str]) -> None:
        """As `Store.refresh_summaries`; an id with neither days nor a description is passed over.

        Another run may save between our count and our write and write its own summary before us, so the count is
        repeated until it is what was written.
        """
        for chunk in _chunks(list(station_ids), IDS_PER_QUERY):
            written: dict[str, Document] = {}
            for _ in range(VERIFICATIONS):
                counted = self._count_reports(chunk)
                if counted == written:
                    break
                changed = {key: summary for key, summary in counted.items() if written.get(key) != summary}
                self._bulk("refresh summaries", "stations", [_summarising(*item) for item in changed.items()])
                written = counted

    def _count_reports(self, station_ids: Sequence[str]) -> dict[str, Document]:
        pipeline: list[Document] = [
            {"$match": {"station_id": {"$in": list(station_ids)}}},
            {
                "$group": {
                    "_id": "$station_id",
                    "count": {"$sum": "$count"},
                    "first": {"$min": "$first"},
                    "last": {"$max": "$last"},
                }
            },
        ]
        found = self._aggregate("count reports", pipeline)
        return dict.fromkeys(station_ids, NO_REPORTS) | {document.pop("_id"): document for document in found}

    def objects(self, stream: str | None = None, *, status: str | None = None) -> dict[str, LedgerEntry]:
        """As `Store.objects`."""
        query = {name: value for name, value in (("stream", stream), ("status", status)) if value is not None}
        # A stream's entries are put in order here: by _id, the server would sort them in memory.
        order = BY_ID if stream is None else [("stream", 1)]
        documents = self._find("read the ledger", self._collection("objects"), query, order)
        entries = map(mongo_documents.ledger_entry, documents)
        return {entry.key: entry for entry in sorted(entries, key=lambda entry: entry.key)}

    def put_objects(self, entries: Sequence[LedgerEntry]) -> None:
        """As `Store.put_objects`; each entry on its own."""
        documents = (mongo_documents.object_document(entry) for entry in entries)
        operations: Operations = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
        self._bulk("write the ledger", "objects", operations)

    def delete_objects(self) -> None:
        """As `Store.delete_objects`."""
        self._write("empty the ledger", lambda: self._collection("objects").delete_many({}))

    def put_logs(self, entries: Sequence[LogEntry]) -> None:
        """As `Store.put_logs`; each entry on its own."""
        operations: Operations = [InsertOne(mongo_documents.log_document(entry)) for entry in entries]
        self._bulk("write logs", "logs", operations)

    def logs(self, query: LogQuery) -> list[LogEntry]:
        """As `Store.logs`."""
        since = None if query.since is None else {"$gte": query.since}
        given = {"type": query.type, "context.run_id": query.run_id, "timestamp": since}
        filters = {name: value for name, value in given.items() if value is not None}
        order = [("timestamp", -1), ("_id", -1)]
        documents = self._find("read logs", self._collection("logs"), filters, order, limit=query.limit)
        return [mongo_documents.log_entry(document) for document in documents]

    def put_run(self, report: RunReport) -> None:
        """As `Store.put_run`."""
        document = mongo_documents.run_document(report.as_dict())
        self._bulk("write the run", "runs", [ReplaceOne({"_id": report.run_id}, document, upsert=True)])

    def runs(self, limit: int = 0) -> list[dict[str, Any]]:
        """As `Store.runs`."""
        order = [("started", -1), ("_id", -1)]
        documents = self._find("read runs", self._collection("runs"), {}, order, limit=limit)
        return [mongo_documents.run_report(document) for document in documents]

    def syncs(self, since: datetime, connection: str | None = None) -> list[SyncEntry]:
        """As `Store.syncs`; what else the reports hold, such as rejections, stays on the server."""
        query: Document = {"started": {"$gte": since}}
        if connection is not None:
            query["connections.connection"] = connection
        order = [("started", -1), ("_id", -1)]
        documents = self._find("read syncs", self._collection("runs"), query, order, projection=SYNCS)
        return [
            entry
            for document in documents
            for entry in sync_entries(document["_id"], document["command"], document.get("connections", ()), connection)
        ]

    def schema(self) -> Schema:
        """As `Store.schema`."""
        return self._link.run("look at the schema", lambda: mongo_migrate.state(self._database))

    def migrate(self) -> list[str]:
        """As `Store.migrate`; the index of a large collection takes its time, and reads go on meanwhile."""
        link = MongoLink(self._whole_url, patience=self._link.patience, longest_call=LONGEST_MIGRATION)
        with closing(link):
            database = link.database.with_options(AWARE, ReadPreference.PRIMARY, read_concern=ReadConcern("majority"))
            return link.run("migrate", lambda: mongo_migrate.migrate(database, where=self.url))

    def expire_logs(self, days: int) -> None:
        """As `Store.expire_logs`, by a TTL index: the server deletes once a minute."""
        self._write("set the expiry of logs", lambda: mongo_migrate.expire_logs(self._database, days))

    def take_waits(self) -> StoreWaits:
        """As `Store.take_waits`."""
        return self._link.take_waits()

    def close(self) -> None:
        """Close all connections."""
        self._link.close()

    def _collection(self, name: str) -> Collection[Document]:
        return self._database.get_collection(name)

    def _find(
        self,
        what: str,
        collection: Collection[D],
        query: Document,
        order: list[tuple[str, int]],
        *,
        projection: Document | None = None,
        limit: int = 0,
    ) -> list[D]:
        return self._read(what, lambda: list(collection.find(query, projection).sort(order).limit(limit)))

    def _aggregate(self, what: str, pipeline: list[Document]) -> list[Document]:
        return self._read(what, lambda: list(self._collection("reports").aggregate(pipeline)))

    def _read(self, what: str, call: Callable[[], T]) -> T:
        """`MongoLink.run`, of a database that may be read."""
        self._check(what, writing=False)
        return self._link.run(what, call)

    def _write(self, what: str, call: Callable[[], T]) -> T:
        """`MongoLink.run`, of a database whose schema is there, and is ours."""
        self._check(what, writing=True)
        return self._link.run(what, call)

    def _check(self, what: str, *, writing: bool) -> None:
        """Once for reading and once for writing: the schema's version, and no unfinished restore."""
        if writing in self._checked:
            return
        with self._checking:
            if writing not in self._checked:
                database = self._database
                check = mongo_migrate.check
                self._link.run(what, lambda: check(database, where=self.url, writing=writing), writing=writing)
                self._checked |= {False, writing}

    def _bulk(self, what: str, collection: str, operations: Operations) -> None:
        """Unordered, idempotent writes.

        A duplicate key tells an insert that the document is there, and an upsert that somebody else inserted it in the
        meantime: then it is repeated, and updates.
        """

        def attempt() -> None:
            remaining = operations
            while remaining:
                try:
                    self._collection(collection).bulk_write(remaining, ordered=False)
                except BulkWriteError as error:
                    if not _only_duplicates(error):
                        raise
                    refused = [remaining[item["index"]] for item in error.details["writeErrors"]]
                    remaining = [operation for operation in refused if not isinstance(operation, InsertOne)]
                else:
                    return

        self._write(what, attempt)


def _only_duplicates(error: BulkWriteError) -> bool:
    return not is_transient(error) and all(item["code"] == DUPLICATE_KEY for item in error.details["writeErrors"])


def _summarising(station_id: str, summary: Document) -> UpdateOne:
    """Only a station that has reports gets a document of its own; one without keeps what it has, if it has any."""
    return UpdateOne({"_id": station_id}, {"$set": {"reports": summary}}, upsert=summary["count"] > 0)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _span_query(station_id: str, span: Span) -> tuple[Document, list[tuple[str, int]]]:
    """The filter and the order of a span's days."""
    if span.length <= FEW_DAYS:
        return {"_id": {"$in": [str(DayKey(station_id, day)) for day in span.days]}}, BY_ID
    between = {"$gte": _midnight(span.first_day), "$lte": _midnight(span.last_day)}
    return {"station_id": station_id, "day": between}, BY_DAY


def _projection(variables: Sequence[str] | None, *, provenance: bool) -> Document:
    names = ["reports", "flags"]
    if variables is not None:
        names = ["reports.utc_time", *(f"{field}.{name}" for name in variables for field in ("reports", "flags"))]
    return dict.fromkeys([*names, *(PROVENANCE if provenance else ())], 1)


def _chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk
