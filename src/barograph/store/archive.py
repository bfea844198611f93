"""A store as a whole, for backups: every document out, and in again.

What goes through here has one form, whatever the engine: the documents that docs/stores.md describes, as BSON, without
the tokens of the saves that wrote them (`writer`), ascending by `_id`; a station's fields in alphabetical order. So two
stores with the same content give the same bytes, and a backup of one engine can be restored into the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Literal, Protocol

COLLECTIONS: Final = ("objects", "runs", "logs", "stations", "reports")
"""In the order in which they are read. The ledger comes first: it never vouches for reports that are read before they
were stored, so that even what is read while a run writes is a state that a killed run could have left."""

Engine = Literal["sqlite", "mongodb"]


class Reading(Protocol):
    """The documents of a store, each collection read once, in the order of COLLECTIONS."""

    def documents(self, collection: str) -> Iterator[bytes]:
        """BSON documents, ascending by `_id` (as bytes of UTF-8)."""

    def unchanged(self) -> bool:
        """After the last collection: whether ledger and station-days are still what was read."""


class Restoring(Protocol):
    """A store that is being filled; what is wrong with it afterwards is the caller's to find out."""

    def insert(self, collection: str, documents: Sequence[bytes]) -> None:
        """Add documents that are not there."""

    def documents(self, collection: str) -> Iterator[bytes]:
        """What was stored, as `Reading.documents`."""


class StoreArchive(Protocol):
    """What an engine must do for backups. Every error is a StoreError."""

    engine: Engine

    def reading(self) -> AbstractContextManager[Reading]:
        """Read everything; SQLite in one transaction, MongoDB from the primary, what a majority has."""

    def restoring(self, backup_id: str, definitions: dict[str, Any] | None) -> AbstractContextManager[Restoring]:
        """Empty the store and fill it; leaving the block with an error leaves SQLite as it was.

        MongoDB is marked until the block is left without an error; a marked database is neither read nor written by
        anybody else. `definitions` are those of the same engine (None: those of a new database).
        """

    def held(self) -> dict[str, int]:
        """How many documents each collection has that has any; large numbers may be estimates."""

    def definitions(self) -> dict[str, Any]:
        """Validators, indexes, views, or tables, JSON-ready."""
