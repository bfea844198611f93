"""Digests of what a store holds, from the documents of `barograph.store.archive`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from barograph.ops.backup.manifest import Content
from barograph.store.bson_columns import elements
from barograph.store.span import from_ms

_DAY: Final = frozenset({"_id", "reports", "flags"})
_NOT_CONTENT: Final = frozenset({"described_at"})
"""When a station was described follows from the order in which the objects came, not from what they say."""


class ContentDigest:
    """Grows document by document; stations, then days, each ascending by `_id`. ValueError for what is no BSON."""

    def __init__(self) -> None:
        self._sha = {"stations": hashlib.sha256(), "reports": hashlib.sha256()}
        self._counts = {"stations": 0, "reports": 0}
        self._reports = 0
        self._first: int | None = None
        self._last: int | None = None

    def add(self, collection: str, raw: bytes) -> None:
        """Take a document of any collection; only stations and days count."""
        if collection not in self._sha:
            return
        self._counts[collection] += 1
        sha = self._sha[collection]
        days = collection == "reports"
        for name, kind, begin, end in elements(raw):
            if (name in _DAY) if days else (name not in _NOT_CONTENT):
                sha.update(f"{name}\x00{kind:02x}{end - begin:08x}".encode())
                sha.update(raw[begin:end])
            if days and name in ("count", "first", "last"):
                self._note(name, int.from_bytes(raw[begin:end], "little", signed=True))
        sha.update(b"\xff")

    def _note(self, name: str, number: int) -> None:
        if name == "count":
            self._reports += number
        elif name == "first":
            self._first = number if self._first is None else min(self._first, number)
        else:
            self._last = number if self._last is None else max(self._last, number)

    def content(self) -> Content:
        """What was seen so far."""
        both = hashlib.sha256(self._sha["stations"].digest() + self._sha["reports"].digest())
        return Content(
            both.hexdigest(),
            self._counts["stations"],
            self._counts["reports"],
            self._reports,
            _instant(self._first),
            _instant(self._last),
        )


class CollectionDigest:
    """Number, size and SHA-256 of the documents of one collection."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.documents = self.bytes = 0

    def add(self, raw: bytes) -> None:
        """Take a document."""
        self._sha.update(raw)
        self.documents += 1
        self.bytes += len(raw)

    @property
    def sha256(self) -> str:
        """Of all documents so far."""
        return self._sha.hexdigest()


def counted(documents: Iterable[bytes], digest: CollectionDigest, content: ContentDigest, name: str) -> Iterator[bytes]:
    """The same documents, each counted in both digests."""
    for raw in documents:
        digest.add(raw)
        content.add(name, raw)
        yield raw


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
