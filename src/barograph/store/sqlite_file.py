"""The SQLite file: connections, schema, transactions, and its errors in words.

Durability: the journal is a write-ahead log with synchronous=NORMAL. A process killed at any instant loses at most the
transaction it had open. A power cut may roll the last committed transactions back, in order, never in part; the ledger
is in the same file and is written after the reports it vouches for, so what rolled back is ingested again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from barograph.errors import StoreError, StoreUnavailable
from barograph.store.schema import VERSION, Schema, refusal, titles

log = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x6261726F
"""`baro`: tells our files from other programs' databases."""

PAGE_SIZE: Final = 16_384
"""Bytes. A year of one station (365 blobs of 31 kB) is fetched in 3.7 ms with pages of 4 KiB, 2.9 with 8, 2.4 with 16,
2.0 with 32; with 32 the small days of hourly stations would waste what is won."""

SCHEMA: Final = (
    """CREATE TABLE reports (
        station_id TEXT NOT NULL, day TEXT NOT NULL, revision INTEGER NOT NULL,
        count INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        sources TEXT NOT NULL, reports BLOB NOT NULL, provenance BLOB NOT NULL,
        PRIMARY KEY (station_id, day))""",
    """CREATE TABLE stations (
        station_id TEXT PRIMARY KEY, name TEXT, city TEXT, latitude REAL, longitude REAL, elevation INTEGER, type TEXT,
        hardware TEXT, software TEXT, license_info TEXT, timezone TEXT, described_at INTEGER,
        count INTEGER NOT NULL DEFAULT 0, first INTEGER, last INTEGER) WITHOUT ROWID""",
    """CREATE TABLE objects (
        key TEXT PRIMARY KEY, stream TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL, status TEXT NOT NULL,
        ingested_at INTEGER NOT NULL, oldest INTEGER, newest INTEGER, counts TEXT NOT NULL, coverage TEXT NOT NULL,
        error TEXT, run_id TEXT)""",
    "CREATE INDEX objects_of_stream ON objects (stream)",
    """CREATE TABLE logs (
        log_id TEXT PRIMARY KEY, timestamp INTEGER NOT NULL, type TEXT NOT NULL, msg TEXT NOT NULL,
        context TEXT NOT NULL, run_id TEXT)""",
    "CREATE INDEX logs_by_time ON logs (timestamp, log_id)",
    "CREATE INDEX logs_of_type ON logs (type, timestamp, log_id)",
    "CREATE INDEX logs_of_run ON logs (run_id, timestamp, log_id)",
    "CREATE TABLE runs (run_id TEXT PRIMARY KEY, started INTEGER NOT NULL, report TEXT NOT NULL)",
    "CREATE INDEX runs_by_start ON runs (started, run_id)",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
"""Instants are integer milliseconds since 1970 UTC, `day` is YYYY-MM-DD, `sources`, `counts`, `coverage`, `context` and
`report` are JSON, the blobs Arrow IPC streams (`arrow_day`)."""

_HINTS: Final[dict[str, tuple[str, str]]] = {
    "SQLITE_NOTADB": ("this file is not a SQLite database", "give the store another path, or restore a backup"),
    "SQLITE_CORRUPT": (
        "the database file is damaged",
        "restore a backup, or move the file away and `barograph rebuild` it from the landing zone",
    ),
    "SQLITE_READONLY": ("the database file is read-only", "give this user write permission on the file and its folder"),
    "SQLITE_PERM": ("the database file may not be opened", "give this user permission on the file and its folder"),
    "SQLITE_CANTOPEN": (
        "the database file cannot be opened",
        "the folder must exist and be writable, for the write-ahead log",
    ),
    "SQLITE_FULL": ("the disk is full", "free space and run the command again; nothing of it was stored in part"),
    "SQLITE_IOERR": ("the disk failed or is full", "check the disk and the system's log, then run the command again"),
    "SQLITE_TOOBIG": ("a value is larger than SQLite can hold", "report it with the object that caused it"),
}


class SqliteFile:
    """A file with a pool of connections, one per call that is under way, usable from any thread.

    `patience` is how long (seconds) a call waits for another process's lock.
    """

    def __init__(self, path: Path, *, patience: float) -> None:
        self.path = path.expanduser().absolute()
        self.patience = patience
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._version = VERSION
        self._mode = "ro" if self.path.exists() and not os.access(self.path, os.W_OK) else "rwc"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder cannot be made: {error.strerror}", where=str(self.path.parent), hint="choose another path"
            ) from error
        with self.reading() as connection:
            self._prepare(connection)

    def close(self) -> None:
        """Close every idle connection; those in use close when their call ends."""
        self._closed = True
        while (connection := self._take()) is not None:
            connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for statements that each see one consistent state."""
        if self._closed:
            raise StoreError("the store is closed", where=str(self.path), hint="open it again")
        connection: sqlite3.Connection | None = None
        try:
            connection = self._take() or self._connect()
            yield connection
        except sqlite3.Error as error:
            raise self.error(error) from error
        finally:
            if connection is not None:
                self._give_back(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """`transaction` of a file whose schema is ours; SchemaError where it is older."""
        with self.reading() as connection:
            if (error := self._refusal(connection)) is not None:
                raise error
            with _transaction(connection):
                yield connection

    def _refusal(self, connection: sqlite3.Connection) -> StoreError | None:
        """Why nothing may be written, looked up again only while that is so: a migration may have come meanwhile."""
        if self._version != VERSION:
            self._version = _version(connection)
        return refusal(self._version, None, where=str(self.path), writing=True)

    def schema(self) -> Schema:
        """The version, and the steps that `migrate` would take."""
        with self.reading() as connection:
            version = _version(connection)
            return Schema(version, titles(version) or tuple(f"create {name}" for name in _missing(connection)))

    def migrate(self) -> list[str]:
        """Bring the schema forward and make what is missing, in one transaction; the steps taken."""
        pending = self.schema().pending
        with self.reading() as connection, _transaction(connection):
            for name, statement in _missing(connection).items():
                connection.execute(statement)
                log.info("%s: created %s", self.path, name)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        self._version = VERSION
        return list(pending)

    def _take(self) -> sqlite3.Connection | None:
        """An idle connection; two threads never get the same."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={self._mode}",
            uri=True,
            timeout=self.patience,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the schema in a new file, or check that it is ours and not newer."""
        if self._is_ready(connection):
            return
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        self._switch_to_wal(connection)
        with _transaction(connection):
            if not self._is_ready(connection):
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
        self._version = VERSION

    def _is_ready(self, connection: sqlite3.Connection) -> bool:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        self._version = _version(connection)
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise StoreError(
                "this database belongs to another program", where=str(self.path), hint="give the store its own path"
            )
        error = refusal(self._version, None, where=str(self.path), writing=False) if tables else None
        if error is not None:
            raise error
        return bool(tables)

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Set the journal mode; SQLite does not wait for its lock here, so two processes that create one file must."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if _name(error) != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def error(self, error: sqlite3.Error) -> StoreError:
        """SQLite's error as ours: what happened, the file, what to do."""
        where = str(self.path)
        name = _name(error)
        if name in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            return StoreUnavailable(
                f"another process has kept the database locked for {self.patience:g} s",
                where=where,
                hint="wait for it to finish (two runs at once are safe, only slower), then run the command again",
            )
        if name in _HINTS:
            what, hint = _HINTS[name]
            return StoreError(what, where=where, hint=hint)
        return StoreError(f"SQLite refused: {error}", where=where, hint="report it if the file is sound")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, committed at the end, rolled back on any error."""
    # IMMEDIATE takes the write lock at once, so that the busy timeout applies: a lock that is upgraded from a read
    # fails without waiting (SQLITE_BUSY_SNAPSHOT).
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _missing(connection: sqlite3.Connection) -> dict[str, str]:
    """The statements that make the tables and indexes that are not there, by what they make."""
    known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    made = {" ".join(statement.split()[1:3]).lower(): statement for statement in SCHEMA}
    return {what: statement for what, statement in made.items() if what.split()[1] not in known}


def _name(error: sqlite3.Error) -> str:
    """The primary result code (`SQLITE_BUSY` also for `SQLITE_BUSY_RECOVERY`)."""
    full: str = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(full.split("_")[:2])
