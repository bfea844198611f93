"""Taking a backup: every document of a store, packed in parts, and a manifest at the end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import bson
import zstandard

from barograph.errors import BackupError
from barograph.model import utc_now
from barograph.ops.backup.catalogue import MANIFEST, Backups, new_id
from barograph.ops.backup.digest import CollectionDigest, ContentDigest, counted
from barograph.ops.backup.manifest import Collection, Manifest, Part
from barograph.pipeline.progress import NoProgress, Progress
from barograph.store.archive import COLLECTIONS
from barograph.store.base import Store
from barograph.store.schema import refusal

PART_BYTES: Final = 128 * 1024 * 1024
"""Documents in a part, before they are packed: some 20 MB as it is uploaded, in one piece that a retry repeats."""
LEVEL: Final = 3
"""zstd's own default: on a year of ten stations level 6 takes 2.5 times as long and saves 4 %."""
CHUNK: Final = 1024 * 1024


def create(
    store: Store, backups: Backups, progress: Progress | None = None, *, part_bytes: int = PART_BYTES
) -> Manifest:
    """Back a store up; what is there under the new id is no backup before its manifest is written, last of all.

    `part_bytes` is the size of documents after which a part ends.

    Raises SchemaError for a store of a newer schema or with an unfinished restore, StoreError, BackupError; also for a
    store that was never written: its backup would be the newest, and a restore would bring back nothing.
    """
    progress = progress or NoProgress()
    found = store.schema()
    error = refusal(found.version, found.restoring, where=store.url, writing=False)
    if error is not None:
        raise error
    if found.version is None:
        raise BackupError(
            "the store is empty: there is nothing to back up",
            where=store.url,
            hint="`barograph run` fills it; if it held something, `barograph backup restore` brings that back",
        )
    created, began = utc_now(), time.monotonic()
    backup_id = new_id(created)
    progress.start("backup", 0)
    content, seen = ContentDigest(), _Seen()
    collections: dict[str, Collection] = {}
    with store.archive.reading() as reading:
        for name in COLLECTIONS:
            progress.item(name)
            writer = _Parts(backups, backup_id, name, progress, part_bytes)
            documents = seen.watch(name, reading.documents(name))
            collections[name] = writer.write(documents, content)
        consistency = "unchanged" if reading.unchanged() else "changing"
    manifest = Manifest(
        backup_id=backup_id,
        created=created,
        seconds=round(time.monotonic() - began, 3),
        barograph=version("barograph"),
        engine=store.archive.engine,
        store=store.url,
        schema_version=found.version,
        consistency=consistency,
        run=seen.last_run,
        unfinished=tuple(sorted(seen.ledger_runs - seen.runs)),
        collections=collections,
        content=content.content(),
        definitions=store.archive.definitions(),
    )
    if not backups.bucket.create(backups.key(backup_id, MANIFEST), manifest.to_json()):
        raise _taken(backups, backup_id)
    progress.finish()
    return manifest


class _Parts:
    """Packs the documents of one collection and puts them away, a part at a time."""

    def __init__(self, backups: Backups, backup_id: str, name: str, progress: Progress, part_bytes: int) -> None:
        self._backups, self._id, self._name, self._progress = backups, backup_id, name, progress
        self._part_bytes = part_bytes
        self._parts: list[Part] = []
        self._packed: list[bytes] = []
        self._room = part_bytes
        self._packer: zstandard.ZstdCompressionObj | None = None

    def write(self, documents: Iterable[bytes], content: ContentDigest) -> Collection:
        digest = CollectionDigest()
        buffer = bytearray()
        for raw in counted(documents, digest, content, self._name):
            buffer += raw
            if len(buffer) >= min(CHUNK, self._part_bytes):
                self._pack(bytes(buffer))
                buffer.clear()
        self._pack(bytes(buffer))
        self._put()
        return Collection(digest.documents, digest.bytes, digest.sha256, tuple(self._parts))

    def _pack(self, data: bytes) -> None:
        """Take whole documents; a part ends between two of them."""
        if not data:
            return
        if self._packer is None:
            self._packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._packed.append(self._packer.compress(data))
        self._room -= len(data)
        self._progress.advance(len(data))
        if self._room <= 0:
            self._put()

    def _put(self) -> None:
        if self._packer is None:
            return
        data = b"".join([*self._packed, self._packer.flush()])
        name = f"{self._name}-{len(self._parts):05d}.bson.zst"
        if not self._backups.bucket.create(self._backups.key(self._id, name), data):
            raise _taken(self._backups, self._id)
        self._parts.append(Part(name, len(data), hashlib.sha256(data).hexdigest()))
        self._packed, self._packer, self._room = [], None, self._part_bytes


@dataclass(slots=True)
class _Seen:
    """What passes by of the runs: the last one, and those that left something in the ledger and never ended."""

    runs: set[str] = field(default_factory=set)
    ledger_runs: set[str] = field(default_factory=set)
    last_run: dict[str, Any] | None = None

    def watch(self, name: str, documents: Iterable[bytes]) -> Iterable[bytes]:
        if name == "runs":
            return self._runs(documents)
        return self._ledger(documents) if name == "objects" else documents

    def _runs(self, documents: Iterable[bytes]) -> Iterable[bytes]:
        for raw in documents:
            report = bson.decode(raw)
            self.runs.add(report["_id"])
            if self.last_run is None or report["_id"] > self.last_run["run_id"]:
                self.last_run = {
                    "run_id": report["_id"],
                    "command": report["command"],
                    "finished": f"{report['finished'].isoformat(timespec='milliseconds')}Z",
                    "status": report["status"],
                }
            yield raw

    def _ledger(self, documents: Iterable[bytes]) -> Iterable[bytes]:
        for raw in documents:
            run_id = bson.decode(raw)["run_id"]
            if run_id is not None:
                self.ledger_runs.add(run_id)
            yield raw


def _taken(backups: Backups, backup_id: str) -> BackupError:
    return BackupError(
        "another backup with this id is being made", where=backups.where(backup_id), hint="run the command again"
    )
