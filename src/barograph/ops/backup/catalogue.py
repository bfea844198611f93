"""The place where backups are kept, and what lies there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from barograph.bucket import BACKUPS, Bucket, Entry, open_bucket
from barograph.errors import BackupError
from barograph.model import iso
from barograph.ops.backup.manifest import Manifest, from_json

MANIFEST: Final = "manifest.json"
DRILL: Final = "drill.json"
ID: Final = re.compile(r"\d{8}T\d{9}Z")


def new_id(moment: datetime) -> str:
    """The id of a backup that begins at an instant, to the millisecond: ids sort as their instants do."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z"


def instant_of(backup_id: str) -> datetime:
    """When a backup began."""
    return datetime.strptime(f"{backup_id[:-1]}000", "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup as it lies there; `manifest` is None where it is not whole, and `problem` says why."""

    backup_id: str
    bytes: int
    manifest: Manifest | None
    problem: str | None = None
    drilled: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told: dict[str, Any] = {"backup_id": self.backup_id, "bytes": self.bytes, "problem": self.problem}
        if self.manifest is not None:
            whole = self.manifest.as_dict()
            told |= {name: whole[name] for name in ("created", "engine", "store", "run", "consistency", "content")}
        return {**told, "drill": self.drilled}


@dataclass(frozen=True, slots=True)
class Backups:
    """A folder or bucket of backups, one folder each."""

    bucket: Bucket
    prefix: str

    @property
    def url(self) -> str:
        """Where it is."""
        return self.bucket.url

    def key(self, backup_id: str, name: str) -> str:
        """The key of an object of a backup."""
        return "/".join(filter(None, (self.prefix, backup_id, name)))

    def where(self, backup_id: str, name: str = "") -> str:
        """The place of a backup, or of one of its objects, for messages."""
        return "/".join(filter(None, (self.bucket.url.rstrip("/"), backup_id, name)))

    def contents(self) -> dict[str, list[Entry]]:
        """The objects of every backup, by id, oldest first; what lies beside them is left alone."""
        found: dict[str, list[Entry]] = {}
        for entry in self.bucket.entries(self.prefix):
            inner = entry.key.removeprefix(self.prefix).lstrip("/")
            backup_id, slash, _ = inner.partition("/")
            if slash and ID.fullmatch(backup_id):
                found.setdefault(backup_id, []).append(entry)
        return dict(sorted(found.items()))

    def whole(self) -> dict[str, list[Entry]]:
        """As `contents`, of the backups that are all there."""
        return {backup_id: entries for backup_id, entries in self.contents().items() if is_whole(entries)}

    def listed(self) -> list[Listed]:
        """Every backup, newest first, with its manifest."""
        return [self._listed(backup_id, entries) for backup_id, entries in reversed(self.contents().items())]

    def _listed(self, backup_id: str, entries: list[Entry]) -> Listed:
        size = sum(entry.size for entry in entries)
        if not is_whole(entries):
            return Listed(backup_id, size, None, "not whole: it was broken off, or is being made")
        try:
            manifest = self.manifest(backup_id)
        except BackupError as error:
            return Listed(backup_id, size, None, error.what)
        drilled = self.drilled(backup_id) if is_drilled(entries) else None
        return Listed(backup_id, size, manifest, None, drilled)

    def drilled(self, backup_id: str) -> dict[str, Any] | None:
        """What the last drill of a backup found; None where that cannot be read."""
        try:
            told: dict[str, Any] = orjson.loads(self.bucket.read(self.key(backup_id, DRILL)))
        except ValueError:
            return None
        return told

    def note_drill(self, backup_id: str, *, ok: bool, at: datetime, seconds: float) -> None:
        """Keep what a drill found beside the backup."""
        told = {"ok": ok, "at": iso(at), "seconds": round(seconds, 3)}
        self.bucket.replace(self.key(backup_id, DRILL), orjson.dumps(told) + b"\n")

    def manifest(self, backup_id: str) -> Manifest:
        """A backup's manifest. Raises BackupError where it is missing or damaged."""
        where = self.where(backup_id, MANIFEST)
        manifest = from_json(self.bucket.read(self.key(backup_id, MANIFEST)), where=where)
        if manifest.backup_id != backup_id:
            raise BackupError(
                f"its manifest is that of {manifest.backup_id}", where=where, hint="move it to its own folder"
            )
        return manifest

    def choose(self, backup_id: str | None) -> str:
        """The id that was named, or that of the newest whole backup. BackupError where there is none."""
        known = self.contents()
        if backup_id is not None:
            if backup_id not in known:
                raise BackupError(f"no backup {backup_id!r}", where=self.url, hint="`barograph backup list` shows them")
            return backup_id
        whole = [name for name, entries in known.items() if is_whole(entries)]
        if not whole:
            raise BackupError("there is no backup", where=self.url, hint="`barograph backup create` makes one")
        return whole[-1]


def is_whole(entries: list[Entry]) -> bool:
    """Whether these objects of one backup are all of it: its manifest, which is written last, is among them."""
    return _holds(entries, MANIFEST)


def is_drilled(entries: list[Entry]) -> bool:
    """Whether a drill of this backup has left what it found."""
    return _holds(entries, DRILL)


def _holds(entries: list[Entry], name: str) -> bool:
    return any(entry.key.endswith(f"/{name}") for entry in entries)


def open_backups(url: str, *, patience: float | None = None, make: bool = True) -> Backups:
    """The place at `s3://bucket/path`, `memory://name` or a folder's path; as `open_bucket`."""
    bucket, inner = open_bucket(url, BACKUPS, patience=patience, make=make)
    return Backups(bucket, inner)
