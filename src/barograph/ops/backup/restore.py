"""Restoring: a whole backup into a store, or some station-days of it among those that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Final

import bson
from bson.raw_bson import RawBSONDocument

from barograph.errors import BackupError, UsageError
from barograph.ops.backup.catalogue import Backups
from barograph.ops.backup.digest import CollectionDigest, ContentDigest, counted
from barograph.ops.backup.manifest import Manifest
from barograph.ops.backup.verify import documents, verify
from barograph.pipeline.progress import NoProgress, Progress
from barograph.store import day_document, mongo_documents
from barograph.store.archive import COLLECTIONS, Restoring
from barograph.store.base import DayKey, StationDay, Store
from barograph.store.schema import VERSION

BATCH_BYTES: Final = 16 * 1024 * 1024
DAYS_AT_A_TIME: Final = 100
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: `written` and `unchanged` station-days (a whole restore writes all)."""

    manifest: Manifest
    written: int
    unchanged: int = 0


def restore(
    store: Store, backups: Backups, backup_id: str, *, force: bool = False, progress: Progress | None = None
) -> Restored:
    """Make a store what it was when the backup was taken, byte for byte, and prove it.

    The whole backup is verified before anything is touched. A store that holds something is refused, unless `force`
    says that it is to be emptied; what an unfinished restore left is cleared without. Afterwards every document is read
    again and held against the manifest. Raises BackupError, StoreError.
    """
    progress = progress or NoProgress()
    manifest = verify(backups, backup_id, progress)
    where = backups.where(backup_id)
    if manifest.schema_version > VERSION:
        raise BackupError(
            f"its schema has version {manifest.schema_version}, this barograph knows {VERSION}",
            where=where,
            hint="upgrade barograph",
        )
    held = {} if force or store.schema().restoring is not None else store.archive.held()
    if held:
        told = ", ".join(f"{name} {count:,}" for name, count in held.items())
        raise BackupError(
            f"the store is not empty: {told}",
            where=store.url,
            hint="restore into another database, or say --force to replace what is there",
        )
    # The documents of every version so far are alike; what was made around them is made as it is today.
    same = (manifest.engine, manifest.schema_version) == (store.archive.engine, VERSION)
    progress.start("restore", manifest.packed_bytes)
    with store.archive.restoring(backup_id, manifest.definitions if same else None) as target:
        for name in COLLECTIONS:
            progress.item(name)
            for batch in _batches(documents(backups, manifest, name, progress)):
                target.insert(name, batch)
        progress.finish()
        _prove(target, manifest, store.url)
        if same and (differing := _differing(store.archive.definitions(), manifest.definitions)):
            raise _unproven(store.url, f"validators or indexes of {differing} are not those of the backup")
    return Restored(manifest, manifest.content.days)


def restore_part(
    store: Store,
    backups: Backups,
    backup_id: str,
    *,
    stations: Sequence[str] = (),
    first: date | None = None,
    last: date | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """Put back some station-days: of `stations` (none named: of all), UTC days from `first` to `last`, both included.

    Days that are not in the backup stay as they are. A day that is there and says something else is refused, all of
    them before anything is written, unless `force` says that it is to be replaced. Descriptions of stations that are
    missing come back; the ledger, logs and runs stay, so that `verify` still holds the record against the landing zone.
    """
    progress = progress or NoProgress()
    manifest = verify(backups, backup_id, progress)
    chosen = _Chosen(frozenset(stations), first, last)
    where = backups.where(backup_id)
    progress.start("compare", manifest.packed_bytes)
    unchanged, wanted = _compare(store, chosen.days(backups, manifest, progress), where, force=force)
    progress.finish()
    if not wanted and not unchanged:
        raise UsageError("the backup has no such station-day", where=where, hint="check --station, --from and --to")
    progress.start("restore", manifest.packed_bytes)
    for batch in _grouped(chosen.days(backups, manifest, progress), DAYS_AT_A_TIME):
        _replace(store, [day for day in batch if day.key in wanted])
    _describe(store, backups, manifest, {key.station_id for key in wanted})
    store.refresh_summaries(sorted({key.station_id for key in wanted}))
    progress.finish()
    return Restored(manifest, len(wanted), unchanged)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which station-days of a backup."""

    stations: frozenset[str]
    first: date | None
    last: date | None

    def __contains__(self, key: DayKey) -> bool:
        return (
            (not self.stations or key.station_id in self.stations)
            and (self.first is None or key.day >= self.first)
            and (self.last is None or key.day <= self.last)
        )

    def days(self, backups: Backups, manifest: Manifest, progress: Progress) -> Iterator[StationDay]:
        progress.item("reports")
        for raw in documents(backups, manifest, "reports", progress):
            document = RawBSONDocument(raw)
            day: datetime = document["day"]
            if DayKey(document["station_id"], day.date()) in self:
                yield day_document.decode(document, where=backups.where(manifest.backup_id))


def _compare(store: Store, days: Iterator[StationDay], where: str, *, force: bool) -> tuple[int, set[DayKey]]:
    """How many days stand as they are in the backup, and which do not."""
    unchanged, wanted = 0, set()
    for batch in _grouped(days, DAYS_AT_A_TIME):
        there = store.load_days([day.key for day in batch])
        for day in batch:
            known = there.get(day.key)
            if known is not None and _same(known, day):
                unchanged += 1
                continue
            if known is not None and not force:
                raise BackupError(
                    f"{day.key} is in {store.url} and says something else",
                    where=where,
                    hint="say --force to replace such days, or choose others",
                )
            wanted.add(day.key)
    return unchanged, wanted


def _same(one: StationDay, other: StationDay) -> bool:
    return one.sources == other.sources and one.frame.equals(other.frame)


def _replace(store: Store, days: list[StationDay]) -> None:
    """Write days over those that are there, at their revisions; a day that changes under us is taken again."""
    waiting = days
    for _ in range(TRIES):
        if not waiting:
            return
        there = store.load_days([day.key for day in waiting])
        placed = [replace(day, revision=there[day.key].revision if day.key in there else 0) for day in waiting]
        lost = store.save_days(placed)
        waiting = [day for day in waiting if day.key in lost]
    if waiting:
        raise BackupError(
            f"{waiting[0].key} keeps changing under us", where=store.url, hint="wait for the run to end, then try again"
        )


def _describe(store: Store, backups: Backups, manifest: Manifest, station_ids: set[str]) -> None:
    """Bring back the descriptions of stations that the store does not know."""
    known = {found.station.station_id for found in store.stations(sorted(station_ids))}
    options = bson.CodecOptions[dict[str, object]](tz_aware=True, tzinfo=UTC)
    described = (
        mongo_documents.stored_station(bson.decode(raw, options))
        for raw in documents(backups, manifest, "stations", NoProgress())
    )
    missing = {
        found.station: found.described_at
        for found in described
        if found.station.station_id in station_ids and found.station.station_id not in known
    }
    if missing:
        store.put_stations(missing)


def _prove(target: Restoring, manifest: Manifest, where: str) -> None:
    content = ContentDigest()
    for name in COLLECTIONS:
        digest = CollectionDigest()
        for _ in counted(target.documents(name), digest, content, name):
            pass
        said = manifest.collections[name]
        if (digest.documents, digest.sha256) != (said.documents, said.sha256):
            raise _unproven(where, f"{name} holds {digest.documents:,} documents that are not those of the backup")
    if content.content() != manifest.content:
        raise _unproven(where, "its content is not that of the backup")


def _differing(found: dict[str, object], wanted: dict[str, object]) -> str:
    return ", ".join(name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name))


def _unproven(where: str, what: str) -> BackupError:
    return BackupError(
        f"the restored store is not what was backed up: {what}",
        where=where,
        hint="see that nothing else writes to it, then restore again with --force",
    )


def _batches(raws: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        batch.append(raw)
        size += len(raw)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _grouped(days: Iterator[StationDay], size: int) -> Iterator[list[StationDay]]:
    while group := list(islice(days, size)):
        yield group
