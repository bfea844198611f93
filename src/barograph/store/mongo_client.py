"""The connection to MongoDB or DocumentDB: options, bounded retries, and what they cost in time.

Retryable writes do not exist on DocumentDB 5.0, so every write of the engine is idempotent and is repeated here.
"""

from __future__ import annotations

import random
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

from barograph.errors import StoreError, StoreUnavailable
from barograph.model import StoreWaits
from barograph.store import DEFAULT_DATABASE
from barograph.store.mongo_errors import Address, hopeless, is_transient, reason_of, refusal, unusable

Document = dict[str, Any]
T = TypeVar("T")

OPTIONS: Final[dict[str, Any]] = {
    "appname": "barograph",
    "w": "majority",
    "journal": True,
    "wTimeoutMS": 15_000,
    "readConcernLevel": "majority",
    "retryWrites": False,
    "retryReads": False,
    "heartbeatFrequencyMS": 5_000,
    "serverSelectionTimeoutMS": 2_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 20_000,
}
"""What holds unless the URI says otherwise; MongoDB and DocumentDB 5.0 know all of it.

Measured on three members on one machine:

- retryWrites, retryReads: `run` repeats, and counts. With the driver's own second try a read from a server that hangs
  took twice the socket timeout, and nobody saw that it was repeated.
- heartbeatFrequencyMS: so often each server is asked, and has connectTimeoutMS to answer; then the driver ends the
  calls that wait for it. With the primary's port swallowing everything, a save went on after 12.6 s with the driver's
  own 10 s, after 7.6 s with 5 s (8.1 s where the server has to be polled). It is 10 s at the most, in which the others
  have elected: their electionTimeoutMillis is 10 s by default.
- serverSelectionTimeoutMS: so long one attempt waits for a primary. With two of three members killed and a patience of
  10 s the error came after 12.6 s with 5 s, after 12.0 s with 2 s; and a pause above 2 s is counted as one.
- wTimeoutMS: while the secondaries answered but did not replicate (fail point rsSyncApplyStop), a save hung for the
  60 s of a socket timeout. Now the server gives it up after 15 s, says why, and the save is repeated; being idempotent,
  it is not applied twice. When replication came back after 25 s, it had succeeded after 25.1 s.
- socketTimeoutMS: the last resort, for a server that hangs while its heartbeat answers. The longest calls of a job took
  1.1 s (deleting 5,110 days) and 0.6 s (a bulk of 100,000 reports).
"""
SHORTEST_SOCKET_TIMEOUT_MS: Final = 5_000
"""A server that works is not given up because somebody is in a hurry."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
NO_PRIMARY: Final = "no primary"


class MongoLink:
    """A client with the house's options, and `run`, through which every call to the server goes.

    `patience` bounds (seconds) how long a call is repeated while the server cannot be reached or has no primary; the
    last attempt may take one timeout longer: of OPTIONS the server selection's, in the worst case the socket's.
    `longest_call` (seconds; None: what OPTIONS say) is how long the server may work at one call.
    """

    def __init__(self, url: str, *, patience: float, longest_call: float | None = None) -> None:
        self.patience = patience
        self._closed = False
        self._counting = threading.Lock()
        self._waits = StoreWaits()
        self._met = False
        said = {option.partition("=")[0].lower() for option in url.partition("?")[2].replace(";", "&").split("&")}
        options = {name: value for name, value in _within(patience, longest_call).items() if name.lower() not in said}
        try:
            with warnings.catch_warnings():
                # The driver only warns of an option that it does not know, and then does without it.
                warnings.simplefilter("error", UserWarning)
                self.client: MongoClient[Document] = MongoClient(url, connect=False, **options)
            self.database: Database[Document] = self.client.get_default_database(DEFAULT_DATABASE)
            self.address = Address.of(url)
        except (PyMongoError, ValueError, TypeError, UserWarning, OSError) as error:
            # Not chained: the driver's text may quote a part of the URI, which may be the password.
            raise unusable(url, error) from None

    @property
    def url(self) -> str:
        """The URI, without its secrets."""
        return self.address.where

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        self.client.close()

    def run(self, what: str, call: Callable[[], T], *, writing: bool = False) -> T:
        """`call()`, repeated with growing pauses while the failure is transient; `what` names it in errors.

        `writing` says that it is part of a write, even where it reads: the user needs the rights of a writer.
        """
        begun, pause, repeats = time.monotonic(), FIRST_PAUSE, 0
        reason = "" if self._sees_a_primary() else NO_PRIMARY
        while True:
            if self._closed:
                raise StoreError("the store is closed", where=self.url, hint="open it again")
            try:
                result = call()
            except PyMongoError as error:
                if (final := self._final(what, error, writing=writing)) is not None:
                    raise final from error
                reason = reason_of(error) if not repeats else reason
                elapsed = time.monotonic() - begun
                if elapsed + pause > self.patience:
                    self._count(repeats, elapsed, reason)
                    raise StoreUnavailable(
                        f"no answer to {what} for {elapsed:.0f} s: {reason_of(error)}",
                        where=self.url,
                        hint="`barograph replica status` tells which members answer; then run it again",
                    ) from error
            else:
                self._met = True
                elapsed = time.monotonic() - begun
                if repeats or (reason and elapsed > FIRST_PAUSE):
                    self._count(repeats, elapsed, reason)
                return result
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, guards nothing
            pause = min(pause * 2, LONGEST_PAUSE)
            repeats += 1

    def take_waits(self) -> StoreWaits:
        """What calls waited for since this was last asked."""
        with self._counting:
            taken, self._waits = self._waits, StoreWaits()
        return taken

    def _sees_a_primary(self) -> bool:
        """Whether a call need not wait for an election; before the first answer the set is not known, and yes."""
        return not self._met or self.client.topology_description.has_writable_server()

    def _final(self, what: str, error: PyMongoError, *, writing: bool) -> StoreError | None:
        """The error, if repeating the call cannot help."""
        if not is_transient(error):
            return refusal(self.address, what, error, writing=writing)
        if isinstance(error, ServerSelectionTimeoutError):
            return hopeless(self.address, what, self.client.topology_description)
        return None

    def _count(self, repeats: int, seconds: float, reason: str) -> None:
        with self._counting:
            self._waits += StoreWaits(1, repeats, round(seconds, 3), round(seconds, 3), reason)


def _within(patience: float, longest_call: float | None) -> Document:
    """OPTIONS, with a single attempt taking no longer than the patience of all (but for a slow server)."""
    bound = int(patience * 1000)
    socket = min(OPTIONS["socketTimeoutMS"], max(bound, SHORTEST_SOCKET_TIMEOUT_MS))
    if longest_call is not None:
        socket = int(longest_call * 1000)
    return OPTIONS | {
        "serverSelectionTimeoutMS": min(OPTIONS["serverSelectionTimeoutMS"], bound),
        "socketTimeoutMS": socket,
        # Below the socket timeout, so that the server can say what it waited for.
        "wTimeoutMS": min(OPTIONS["wTimeoutMS"], socket * 3 // 4),
    }
