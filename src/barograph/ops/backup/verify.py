"""Reading a backup, and proving that it is what its manifest says: every part, every document, every digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO, Final, cast

import zstandard

from barograph.errors import BackupError
from barograph.ops.backup.catalogue import MANIFEST, Backups
from barograph.ops.backup.digest import CollectionDigest, ContentDigest
from barograph.ops.backup.manifest import Manifest, Part
from barograph.pipeline.progress import NoProgress, Progress
from barograph.store.archive import COLLECTIONS

CHUNK: Final = 1024 * 1024
LENGTH: Final = 4
LARGEST: Final = 17 * 1024 * 1024
"""Bytes of the length that a BSON document begins with, and of the largest document that a server takes, and a bit."""


def verify(backups: Backups, backup_id: str, progress: Progress | None = None) -> Manifest:
    """Read a whole backup and hold it against its manifest. BackupError names the first thing that is wrong."""
    progress = progress or NoProgress()
    manifest = backups.manifest(backup_id)
    _check_names(backups, manifest)
    progress.start("verify", manifest.packed_bytes)
    content = ContentDigest()
    for name in COLLECTIONS:
        progress.item(name)
        digest = CollectionDigest()
        for raw in documents(backups, manifest, name, progress):
            digest.add(raw)
            try:
                content.add(name, raw)
            except ValueError as error:
                raise _wrong(backups, manifest, name, f"a document is damaged: {error}") from error
        said = manifest.collections[name]
        if (digest.documents, digest.bytes, digest.sha256) != (said.documents, said.bytes, said.sha256):
            raise _wrong(backups, manifest, name, "its documents are not those of the manifest")
    if content.content() != manifest.content:
        raise _wrong(backups, manifest, MANIFEST, "the content is not that of the manifest")
    progress.finish()
    return manifest


def documents(backups: Backups, manifest: Manifest, name: str, progress: Progress) -> Iterator[bytes]:
    """The documents of a collection, in bounded memory; BackupError for a part that is missing, short or damaged."""
    said = manifest.collections[name]
    left = said.bytes
    for part in said.parts:
        rest = b""
        for data in _unpacked(backups, manifest, part, progress):
            left -= len(data)
            if left < 0:
                raise _wrong(backups, manifest, part.name, "it unpacks to more than the manifest says")
            rest += data
            place = 0
            while len(rest) - place >= LENGTH:
                size = int.from_bytes(rest[place : place + LENGTH], "little")
                if not LENGTH < size <= LARGEST:
                    raise _wrong(backups, manifest, part.name, "a document is damaged")
                if len(rest) - place < size:
                    break
                yield rest[place : place + size]
                place += size
            rest = rest[place:]
        if rest:
            raise _wrong(backups, manifest, part.name, "its last document is cut off")


class _Packed:
    """The bytes of a part as a file to read from, counted and hashed on their way."""

    def __init__(self, chunks: Iterator[bytes], progress: Progress) -> None:
        self._chunks, self._progress = chunks, progress
        self._rest = b""
        self._sha = hashlib.sha256()

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
            self._sha.update(self._rest)
            self._progress.advance(len(self._rest))
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    @property
    def sha256(self) -> str:
        return self._sha.hexdigest()


def _unpacked(backups: Backups, manifest: Manifest, part: Part, progress: Progress) -> Iterator[bytes]:
    """The content of a part in pieces of a MiB; what it is made of is checked when the last byte has been read."""
    key = backups.key(manifest.backup_id, part.name)
    packed = _Packed(backups.bucket.chunks(key, part.bytes), progress)
    try:
        yield from zstandard.ZstdDecompressor().read_to_iter(
            cast("IO[bytes]", packed), read_size=CHUNK, write_size=CHUNK
        )
    except zstandard.ZstdError as error:
        raise _wrong(backups, manifest, part.name, f"it cannot be unpacked: {error}") from error
    if packed.sha256 != part.sha256:
        raise _wrong(backups, manifest, part.name, "its SHA-256 is not that of the manifest")


def _check_names(backups: Backups, manifest: Manifest) -> None:
    """Every part is there, with its size, before anything is read."""
    there = {entry.key: entry.size for entry in backups.contents().get(manifest.backup_id, [])}
    for name in COLLECTIONS:
        if name not in manifest.collections:
            raise _wrong(backups, manifest, MANIFEST, f"it says nothing of {name}")
        for part in manifest.collections[name].parts:
            size = there.get(backups.key(manifest.backup_id, part.name))
            if size is None:
                raise _wrong(backups, manifest, part.name, "it is missing")
            if size != part.bytes:
                raise _wrong(backups, manifest, part.name, f"it has {size:,} bytes, not {part.bytes:,}")


def _wrong(backups: Backups, manifest: Manifest, name: str, what: str) -> BackupError:
    return BackupError(
        f"the backup is damaged: {what}",
        where=backups.where(manifest.backup_id, name),
        hint="use another one (`barograph backup list`), and find out what changed this one",
    )
