"""Backups' side of the SQLite engine: its rows as the documents of MongoDB, and back, each in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import bson
import orjson
from bson.raw_bson import RawBSONDocument

from barograph.model import iso, utc_now
from barograph.store import day_document, mongo_documents, sqlite_rows
from barograph.store.archive import COLLECTIONS, Engine
from barograph.store.sqlite_rows import DESCRIPTION, OBJECT_COLUMNS

if TYPE_CHECKING:
    from barograph.store.sqlite_file import SqliteFile

Document = dict[str, Any]
AWARE: Final[bson.CodecOptions[Document]] = bson.CodecOptions(tz_aware=True, tzinfo=UTC)
SELECTS: Final = {
    "objects": f"SELECT {', '.join(OBJECT_COLUMNS)} FROM objects ORDER BY key",  # noqa: S608 - field names of ours
    "runs": "SELECT report FROM runs ORDER BY run_id",
    "logs": "SELECT log_id, timestamp, type, msg, context FROM logs ORDER BY log_id",
    "stations": f"SELECT {', '.join(DESCRIPTION)}, described_at, count, first, last FROM stations ORDER BY station_id",  # noqa: S608
    # Ascending by MongoDB's _id, in which a colon follows the station: "A-1:…" stands before "A:…".
    "reports": """SELECT station_id, day, revision, count, sources, reports, provenance FROM reports
        ORDER BY station_id || ':', day""",
}
INSERTS: Final = {
    "objects": f"INSERT INTO objects VALUES ({', '.join('?' * len(OBJECT_COLUMNS))})",  # noqa: S608
    "runs": "INSERT INTO runs VALUES (?, ?, ?)",
    "logs": "INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?)",
    "stations": f"INSERT INTO stations VALUES ({', '.join('?' * (len(DESCRIPTION) + 4))})",  # noqa: S608
    "reports": """INSERT INTO reports (revision, count, first, last, sources, reports, provenance, station_id, day)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
}
"""The columns of a table stand as its schema has them."""


class SqliteArchive:
    """A `StoreArchive` over a file; `day_of` and `row_of` turn a row of `reports` into a day and back."""

    engine: Engine = "sqlite"

    def __init__(
        self,
        file: SqliteFile,
        day_of: Callable[[Sequence[Any]], Any],
        row_of: Callable[[Any], tuple[Any, ...]],
    ) -> None:
        self._file, self._day_of, self._row_of = file, day_of, row_of

    @contextmanager
    def reading(self) -> Iterator[SqliteReading]:
        """As `StoreArchive.reading`: one state of the file, while others go on writing."""
        with self._file.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield SqliteReading(connection, self._day_of)
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def restoring(self, backup_id: str, definitions: Document | None) -> Iterator[SqliteRestoring]:  # noqa: ARG002
        """As `StoreArchive.restoring`: all of it, or nothing."""
        with self._file.writing() as connection:
            for name in COLLECTIONS:
                connection.execute(f"DELETE FROM {name}")  # noqa: S608 - names of ours
            yield SqliteRestoring(connection, self._day_of, self._row_of)
            told = orjson.dumps({"backup": backup_id, "at": iso(utc_now())}).decode()
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('restored', ?)", (told,))

    def held(self) -> dict[str, int]:
        """As `StoreArchive.held`."""
        with self._file.reading() as connection:
            counted = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in COLLECTIONS}  # noqa: S608
        return {name: count for name, count in counted.items() if count}

    def definitions(self) -> Document:
        """Table or index -> the statement that made it."""
        with self._file.reading() as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            return dict(rows.fetchall())


class SqliteReading:
    """A `Reading` inside a transaction."""

    def __init__(self, connection: sqlite3.Connection, day_of: Callable[[Sequence[Any]], Any]) -> None:
        self._connection, self._day_of = connection, day_of

    def documents(self, collection: str) -> Iterator[bytes]:
        """As `Reading.documents`."""
        for row in self._connection.execute(SELECTS[collection]):
            yield bson.encode(self._document(collection, row))

    def _document(self, collection: str, row: Sequence[Any]) -> Document:
        if collection == "reports":
            day = self._day_of(row)
            document = day_document.encode(replace(day, revision=day.revision - 1), writer="")
            del document["writer"]
            return document
        if collection == "objects":
            return mongo_documents.object_document(sqlite_rows.ledger_entry(row))
        if collection == "logs":
            return mongo_documents.log_document(sqlite_rows.log_entry(row))
        if collection == "stations":
            return mongo_documents.station_document(sqlite_rows.stored_station(row))
        return mongo_documents.run_document(orjson.loads(row[0]))

    def unchanged(self) -> bool:
        """A transaction sees no change."""
        return True


class SqliteRestoring(SqliteReading):
    """A `Restoring` inside the transaction that fills the file."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        day_of: Callable[[Sequence[Any]], Any],
        row_of: Callable[[Any], tuple[Any, ...]],
    ) -> None:
        super().__init__(connection, day_of)
        self._row_of = row_of

    def insert(self, collection: str, documents: Sequence[bytes]) -> None:
        """As `Restoring.insert`."""
        self._connection.executemany(INSERTS[collection], (self._row(collection, raw) for raw in documents))

    def _row(self, collection: str, raw: bytes) -> tuple[Any, ...]:
        if collection == "reports":
            day = day_document.decode(RawBSONDocument(raw), where="backup")
            return self._row_of(replace(day, revision=day.revision - 1))
        document = bson.decode(raw, AWARE)
        if collection == "objects":
            return sqlite_rows.object_row(mongo_documents.ledger_entry(document))
        if collection == "logs":
            return sqlite_rows.log_row(mongo_documents.log_entry(document))
        if collection == "stations":
            return sqlite_rows.summarised_row(mongo_documents.stored_station(document))
        return sqlite_rows.run_row(mongo_documents.run_report(document))
