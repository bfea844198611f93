"""What a backup says of itself: where it comes from, what it holds, and the digests that prove it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from barograph.errors import BackupError
from barograph.model import iso

FORMAT: Final = 1
LISTED: Final = "`barograph backup list` shows them"


@dataclass(frozen=True, slots=True)
class Part:
    """An object of the backup: its name in the backup's folder, its size and SHA-256 as it lies there."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection: number of documents, size and SHA-256 of all of them one after the other, and their parts."""

    documents: int
    bytes: int
    sha256: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The logical content, the same for every store that holds the same record, however it came to it.

    `sha256` is over the descriptions and summaries of all stations and over the instants, values and flags of all
    station-days; not over revisions, provenance, ledger and logs, which differ when a record is built again.
    """

    sha256: str
    stations: int
    days: int
    reports: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole backup.

    `run` is the last run that the store knew of (its id, when it finished, its status); `unfinished` are runs that had
    stored something and had not ended. `consistency` is "unchanged" (one state of the store) or "changing" (a run wrote
    meanwhile: what was read is a state that a killed run could have left, which the next run completes).
    """

    backup_id: str
    created: datetime
    seconds: float
    barograph: str
    engine: str
    store: str
    schema_version: int
    consistency: str
    run: dict[str, Any] | None
    unfinished: tuple[str, ...]
    collections: dict[str, Collection]
    content: Content
    definitions: dict[str, Any]

    @property
    def packed_bytes(self) -> int:
        """The size of all parts."""
        return sum(part.bytes for collection in self.collections.values() for part in collection.parts)

    @property
    def raw_bytes(self) -> int:
        """The size of all documents."""
        return sum(collection.bytes for collection in self.collections.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        plain = asdict(self)
        plain["created"] = iso(self.created)
        for end in ("first", "last"):
            instant = getattr(self.content, end)
            plain["content"][end] = None if instant is None else iso(instant)
        return {"format": FORMAT, **plain}

    def to_json(self) -> bytes:
        """The file: `as_dict` and, as `sha256`, the digest of the rest."""
        plain = self.as_dict()
        return orjson.dumps({**plain, "sha256": _digest(plain)}, option=orjson.OPT_INDENT_2) + b"\n"


def from_json(data: bytes, *, where: str) -> Manifest:
    """The manifest in a file; BackupError when it is damaged, or of a format that this barograph does not know."""
    try:
        plain = orjson.loads(data)
        said = plain.pop("sha256")
        known = plain.pop("format")
        if known > FORMAT:
            raise BackupError(
                f"the backup has format {known}, this barograph reads {FORMAT}", where=where, hint="upgrade barograph"
            )
        if said != _digest({"format": known, **plain}):
            raise _damaged(where, "its digest is another")
        return _manifest(plain)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(where, f"{type(error).__name__}: {error}") from error


def _manifest(plain: dict[str, Any]) -> Manifest:
    content = {**plain["content"]}
    for end in ("first", "last"):
        content[end] = None if content[end] is None else datetime.fromisoformat(content[end])
    collections = {
        name: Collection(**{**item, "parts": tuple(Part(**part) for part in item["parts"])})
        for name, item in plain["collections"].items()
    }
    return Manifest(
        **{
            **plain,
            "created": datetime.fromisoformat(plain["created"]),
            "unfinished": tuple(plain["unfinished"]),
            "content": Content(**content),
            "collections": collections,
        }
    )


def _digest(plain: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _damaged(where: str, what: str) -> BackupError:
    return BackupError(f"the manifest is damaged: {what}", where=where, hint=f"use another backup; {LISTED}")
