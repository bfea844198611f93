"""The restore drill: the newest backup restored for real, beside the store, compared, and removed again."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass

from barograph.errors import BackupError, StoreError
from barograph.model import utc_now
from barograph.ops.backup.catalogue import Backups
from barograph.ops.backup.digest import ContentDigest
from barograph.ops.backup.manifest import Content, Manifest
from barograph.ops.backup.restore import restore
from barograph.pipeline.progress import Progress
from barograph.store import open_store
from barograph.store.archive import COLLECTIONS
from barograph.store.base import Store


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill found: the backup, where it was restored, how long that took, and what the live store holds now.

    `restored` equals `manifest.content`, or the drill would have failed; `live` may be newer.
    """

    manifest: Manifest
    into: str
    seconds: float
    restored: Content
    live: Content

    @property
    def current(self) -> bool:
        """Whether the live store still holds just what was backed up."""
        return self.live == self.restored


def drill(
    store: Store, backups: Backups, backup_id: str, *, scratch: str | None = None, progress: Progress | None = None
) -> Drill:
    """Restore a backup into a scratch store, which is removed again, and compare its content with the manifest.

    `scratch` is the URL of an empty store to use and to empty again (None: a store beside the live one). The outcome is
    kept beside the backup. Raises BackupError, StoreError.
    """
    at, began = utc_now(), time.monotonic()
    try:
        with _place(store, scratch) as place:
            done = restore(place, backups, backup_id, progress=progress)
            restored, into = content_of(place), place.url
            if scratch is not None:
                _empty(place)
    except (BackupError, StoreError) as error:
        if not error.retryable:
            backups.note_drill(backup_id, ok=False, at=at, seconds=time.monotonic() - began)
        raise
    seconds = time.monotonic() - began
    ok = restored == done.manifest.content
    backups.note_drill(backup_id, ok=ok, at=at, seconds=seconds)
    if not ok:
        raise BackupError("what was restored is not what was backed up", where=backups.where(backup_id))
    return Drill(done.manifest, into, round(seconds, 3), restored, content_of(store))


def content_of(store: Store) -> Content:
    """The logical content of a store, read as a whole."""
    content = ContentDigest()
    with store.archive.reading() as reading:
        for name in ("stations", "reports"):
            for raw in reading.documents(name):
                content.add(name, raw)
    return content.content()


def _place(store: Store, scratch: str | None) -> AbstractContextManager[Store]:
    return store.scratch() if scratch is None else _opened(scratch)


def _opened(url: str) -> AbstractContextManager[Store]:
    return closing(open_store(url))


def _empty(store: Store) -> None:
    with store.archive.restoring("nothing", None) as target:
        for name in COLLECTIONS:
            target.insert(name, [])


__all__ = ["Drill", "content_of", "drill"]
