"""The connection to MongoDB or DocumentDB: options, bounded retries, and the server's errors in words.

Retryable writes do not exist on DocumentDB 5.0, so every write of the engine is idempotent and is repeated here.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
)

from barograph.errors import StoreError, StoreUnavailable
from barograph.store import DEFAULT_DATABASE, redact

Document = dict[str, Any]
T = TypeVar("T")

OPTIONS: Final[dict[str, Any]] = {
    "appname": "barograph",
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "retryWrites": False,
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 60_000,
}
"""What holds unless the URI says otherwise. Without a socket timeout a server that hangs would hang us for ever."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0

# Server error codes (src/mongo/base/error_codes.yml) that a new primary or another moment cures.
TRANSIENT: Final = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        64,  # WriteConcernTimeout
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        112,  # WriteConflict
        134,  # ReadConcernMajorityNotAvailableYet
        189,  # PrimarySteppedDown
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
DUPLICATE_KEY: Final = 11000

HINTS: Final[dict[int, tuple[str, str]]] = {
    13: ("this user is not allowed to do that", "grant it the role readWrite (to read: read) on the database"),
    18: ("authentication failed", "check user, password and authSource in the URI"),
    8000: ("authentication failed", "check user and password in the URI"),
    20: ("the server refuses the operation", "connect to a replica set, not to a standalone server"),
    72: ("the server refuses an option", "check the options of the URI"),
    121: ("the document does not match the collection's schema", "a fault in barograph; report it"),
}


class MongoLink:
    """A client with the house's options, and `run`, through which every call to the server goes.

    `patience` bounds (seconds) how long a call is repeated while the server cannot be reached or has no primary; the
    last attempt may take one server selection or socket timeout longer.
    """

    def __init__(self, url: str, *, patience: float) -> None:
        self.url = redact(url)
        self.patience = patience
        self._closed = False
        said = {option.partition("=")[0].lower() for option in url.partition("?")[2].replace(";", "&").split("&")}
        options = {name: value for name, value in OPTIONS.items() if name.lower() not in said}
        if "serverSelectionTimeoutMS" in options:
            options["serverSelectionTimeoutMS"] = min(options["serverSelectionTimeoutMS"], int(patience * 1000))
        try:
            with warnings.catch_warnings():
                # The driver only warns of an option that it does not know, and then does without it.
                warnings.simplefilter("error", UserWarning)
                self.client: MongoClient[Document] = MongoClient(url, connect=False, **options)
            self.database: Database[Document] = self.client.get_default_database(DEFAULT_DATABASE)
        except (PyMongoError, ValueError, TypeError, UserWarning) as error:
            # The driver's text may quote a part of the URI, which may be the password.
            unknown = str(error) if str(error).startswith("Unknown option") else "it cannot be parsed"
            raise StoreError(
                f"the MongoDB URI cannot be used: {unknown}",
                where=self.url,
                hint="write mongodb://user:password@host:port,…/database?option=value, %-escape special characters",
            ) from None

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        self.client.close()

    def run(self, what: str, call: Callable[[], T]) -> T:
        """`call()`, repeated with growing pauses while the failure is transient; `what` names it in errors."""
        begun, pause = time.monotonic(), FIRST_PAUSE
        while True:
            if self._closed:
                raise StoreError("the store is closed", where=self.url, hint="open it again")
            try:
                return call()
            except PyMongoError as error:
                if not is_transient(error):
                    raise self.refusal(what, error) from error
                elapsed = time.monotonic() - begun
                if elapsed + pause > self.patience:
                    raise StoreUnavailable(
                        f"no answer to {what} for {elapsed:.0f} s: {_reason(error)}",
                        where=self.url,
                        hint="see that they run and have a primary (rs.status() in mongosh), then run it again",
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, guards nothing
            pause = min(pause * 2, LONGEST_PAUSE)

    def refusal(self, what: str, error: PyMongoError) -> StoreError:
        """A final error of the driver or the server as ours."""
        known = HINTS.get(_code(error) or 0)
        if known is not None:
            return StoreError(f"{known[0]} ({what}: {_reason(error)})", where=self.url, hint=known[1])
        if isinstance(error, DocumentTooLarge):
            hint = "a document may have 16 MB; report it with the object that caused it"
        elif isinstance(error, ConfigurationError):
            hint = "check the URI and its options"
        else:
            hint = "look up the server's log"
        return StoreError(f"{what} was refused: {_reason(error)}", where=self.url, hint=hint)


def is_transient(error: PyMongoError) -> bool:
    """Whether the same call may succeed in a moment."""
    if isinstance(error, BulkWriteError):
        details = error.details
        codes = {item.get("code") for item in details.get("writeErrors", [])}
        return bool(details.get("writeConcernErrors")) or bool(codes & TRANSIENT)
    if isinstance(error, OperationFailure):
        return error.code in TRANSIENT or error.has_error_label("RetryableWriteError")
    return isinstance(error, ConnectionFailure)


def _code(error: PyMongoError) -> int | None:
    if isinstance(error, BulkWriteError):
        return next((item.get("code") for item in error.details.get("writeErrors", [])), None)
    return error.code if isinstance(error, OperationFailure) else None


def _reason(error: PyMongoError) -> str:
    """The driver's text without its dump of the topology or of the reply."""
    if isinstance(error, BulkWriteError):
        errors = [*error.details.get("writeErrors", []), *error.details.get("writeConcernErrors", [])]
        text = str(errors[0].get("errmsg", error)) if errors else str(error)
    elif isinstance(error, OperationFailure) and error.details:
        text = str(error.details.get("errmsg", error))
    else:
        text = str(error).partition(", Timeout:")[0].partition(" (configured timeouts:")[0]
    return " ".join(text.split())[:300]
