"""Writing to the landing zone: Airbyte's layout, write-once, a new generation only when the content changed.

The records of a sync are spooled to a local temporary file first. Nothing of a full refresh is landed before the source
has finished, so a source that fails half-way leaves no trace; an incremental sync lands batch by batch, each up to a
state of the source. Nothing that stands is ever overwritten or removed, so a crash while landing leaves the previous
generation whole. The manifest is written last and marks the generation, or the batch with its state, complete; parts
without one (from such a crash) hold true rows and do no harm: reports are merged idempotently, and the next sync
writes them again.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from barograph.errors import LandingError
from barograph.landing.flatten import columns_of
from barograph.landing.layout import manifest_folder, object_key, parse_key, stream_folder
from barograph.landing.manifest import Manifest, Mode, newest_manifest
from barograph.landing.spool import Envelope, Mark, Spool
from barograph.model import epoch_ms, from_epoch_ms, utc_now

if TYPE_CHECKING:
    from barograph.landing.zone import LandingZone

BATCH_BYTES: Final = 64 * 1024 * 1024
BATCH_SECONDS: Final = 60.0
"""An incremental batch is landed at the first state after so many bytes or seconds: what a kill costs at most."""

_CLASHES: Final = 10


@dataclass(frozen=True, slots=True)
class Landed:
    """What a sync left: generation, objects, records and bytes; `changed` is False when nothing was due."""

    changed: bool
    generation: int
    objects: tuple[str, ...]
    records: int
    bytes: int


def land(
    zone: LandingZone,
    stream: str,
    records: Iterable[dict[str, Any]],
    *,
    started: datetime,
    format: str = "jsonl",  # noqa: A002 - the setting's name
    compression: str = "none",
    flatten: str = "none",
    columns: Sequence[str] = (),
) -> Landed:
    """Land a full refresh of `stream`, unless the newest complete generation holds the same records already."""
    with closing(
        StreamWriter(
            zone, stream, started=started, format=format, compression=compression, flatten=flatten, columns=columns
        )
    ) as writer:
        for record in records:
            writer.add(record)
        return writer.finish()


class StreamWriter:
    """One sync's writing to one stream: records go in, and are landed whole or up to a state.

    A full refresh lands everything at `finish`, as a new generation, if it is not what the newest one holds. An
    incremental sync lands what lies before a `checkpoint`, beside what stands, and the state in the same manifest; a
    checkpoint lands at once where enough has come together, else with a later one or at `finish`. `settle` ends a sync
    that broke off: what lies before the last checkpoint is landed, the rest is dropped.

    `flatten` is "root" where a record's fields stand in the place of `_airbyte_data`; `columns`, which may be set until
    the first landing, are the properties of the stream's catalog in their order, for a flattened CSV.

    Every method raises LandingError; `add` also where the temporary folder is full.
    """

    def __init__(
        self,
        zone: LandingZone,
        stream: str,
        *,
        started: datetime,
        format: str = "jsonl",  # noqa: A002 - the setting's name
        compression: str = "none",
        flatten: str = "none",
        columns: Sequence[str] = (),
    ) -> None:
        self._zone, self._stream, self._started = zone, stream, started
        self._extension = format + (".gz" if compression == "gzip" else "")
        self._flat = flatten == "root"
        self.columns = tuple(columns)
        for folder in (stream_folder(zone.prefix, stream), manifest_folder(zone.prefix, stream)):
            zone.sweep(folder)
        self._last = newest_manifest(zone, stream)
        self._sync_id = 1 if self._last is None else self._last.sync_id + 1
        self._spool = Spool()
        self._pending: tuple[dict[str, Any], Mark] | None = None
        self._since = time.monotonic()
        self._landed: list[Landed] = []
        self.incremental = False

    @property
    def landed(self) -> Landed:
        """What all batches so far came to."""
        generation = 0 if self._last is None else self._last.generation_id
        return Landed(
            any(landed.changed for landed in self._landed),
            generation,
            tuple(key for landed in self._landed for key in landed.objects),
            sum(landed.records for landed in self._landed),
            sum(landed.bytes for landed in self._landed),
        )

    @property
    def state(self) -> dict[str, Any] | None:
        """What the source said at the end of what is landed."""
        return None if self._last is None else self._last.state

    def add(self, record: dict[str, Any]) -> None:
        """Take a record."""
        self._spool.add(record)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Everything so far belongs to `state`; from here on the sync is incremental."""
        self.incremental = True
        self._pending = state, self._spool.mark()
        if self._spool.size >= BATCH_BYTES or time.monotonic() - self._since >= BATCH_SECONDS:
            self._commit()

    def finish(self) -> Landed:
        """The source has said everything; what it all came to."""
        if not self.incremental:
            self._refresh()
        elif self._pending is not None or self._spool.count:
            # Records behind the last state stand whole; the source will say them again.
            state = self._pending[0] if self._pending is not None else self.state
            self._pending = state or {}, self._spool.mark()
            self._commit()
        return self.landed

    def settle(self) -> Landed:
        """The source broke off."""
        if self._pending is not None:
            self._spool.cut(self._pending[1])
            self._commit()
        return self.landed

    def close(self) -> None:
        """Drop what is not landed."""
        self._spool.close()

    def _refresh(self) -> None:
        last, mark = self._last, self._spool.mark()
        if last is not None and last.mode == "full_refresh" and self._stands(last, mark):
            self._landed.append(Landed(False, last.generation_id, last.objects, mark.count, 0))
            return
        generation = 1 if last is None else last.generation_id + (last.mode != "reset")
        self._landed.append(self._land(mark, generation, "full_refresh", None))

    def _commit(self) -> None:
        assert self._pending is not None  # noqa: S101 - the callers have just looked
        state, mark = self._pending
        last = self._last
        generation = 1 if last is None else last.generation_id + (last.mode == "full_refresh")
        if last is not None and last.mode == "incremental" and (not mark.count or self._stands(last, mark)):
            if state != last.state:
                self._put(replace(last, state=state, sync_id=self._sync_id))
            self._landed.append(Landed(False, generation, (), mark.count, 0))
        else:
            self._landed.append(self._land(mark, generation, "incremental", state))
        self._pending = None
        self._spool.clear()
        self._since = time.monotonic()

    def _stands(self, last: Manifest, mark: Mark) -> bool:
        """Whether the newest manifest holds these very records, and its objects still stand."""
        form = (self._extension, self._flat)
        same = (last.digest, last.records, last.extension, last.flat) == (mark.digest, mark.count, *form)
        if not same or not last.objects:
            return same
        # An operator may have removed one. All begin with the same date and instant, up to the number of the part.
        before = last.objects[0].rpartition("_")[0]
        return set(last.objects) <= set(self._zone.keys(stream_folder(self._zone.prefix, self._stream), before))

    def _land(self, mark: Mark, generation: int, mode: Mode, state: dict[str, Any] | None) -> Landed:
        last_ms = None if self._last is None else self._last.extracted_at
        tabular = self._flat and self._extension.startswith("csv")
        columns = columns_of(self._spool.lines(), self.columns) if tabular else ()
        for _ in range(_CLASHES):
            instant = _free_instant(self._zone, self._stream, self._started, last_ms)
            envelope = Envelope(instant, generation, self._sync_id, self._extension, columns, self._flat)
            written = _write(self._zone, self._stream, self._spool.lines(), envelope)
            if written is not None:
                break
        else:
            raise _crowded(self._stream)
        keys, size = written
        made = Manifest(
            generation, epoch_ms(instant), self._sync_id, mode, mark.count, self._extension, mark.digest, keys, state,
            self._flat,
        )  # fmt: skip
        self._seal(made, instant)
        return Landed(True, generation, keys, mark.count, size)

    def _put(self, manifest: Manifest) -> None:
        """A manifest without objects of its own."""
        self._seal(manifest, _free_instant(self._zone, self._stream, self._started, manifest.extracted_at))

    def _seal(self, manifest: Manifest, instant: datetime) -> None:
        """Write a manifest at an instant, or just after those that other syncs' manifests have taken."""
        first = epoch_ms(instant)
        for millis in range(first, first + _CLASHES):
            if manifest.create(self._zone, self._stream, from_epoch_ms(millis)):
                self._last = replace(manifest, extracted_at=millis)
                return
        raise _crowded(self._stream)


def last_state(zone: LandingZone, stream: str) -> dict[str, Any] | None:
    """What the source said at the end of a stream's last incremental sync; None where there was none, or a reset."""
    last = newest_manifest(zone, stream)
    return None if last is None else last.state


def reset(zone: LandingZone, stream: str, *, started: datetime) -> bool:
    """Forget a stream's state, so that the next sync begins anew; False where there is none. What is landed stays."""
    last = newest_manifest(zone, stream)
    if last is None or last.mode == "reset":
        return False
    instant = _free_instant(zone, stream, started, last.extracted_at)
    made = Manifest(last.generation_id + 1, epoch_ms(instant), last.sync_id, mode="reset")
    if not made.create(zone, stream, instant):
        raise _crowded(stream)
    return True


def _crowded(stream: str) -> LandingError:
    return LandingError(
        "other syncs of this stream keep taking the same instants", where=stream, hint="run again, one at a time"
    )


def _write(
    zone: LandingZone, stream: str, lines: Iterable[bytes], envelope: Envelope
) -> tuple[tuple[str, ...], int] | None:
    """Write a batch's objects; their keys and bytes, or None where a concurrent sync has taken the instant.

    Nothing is overwritten: the whole batch is then written at another instant.
    """
    keys, size = [], 0
    for part, body in enumerate(envelope.parts(lines)):
        data = gzip.compress(body, 6, mtime=0) if envelope.extension.endswith(".gz") else body
        key = object_key(zone.prefix, stream, envelope.instant, part, envelope.extension)
        if not zone.create(key, data, {"ab-generation-id": str(envelope.generation)}):
            return None
        keys.append(key)
        size += len(data)
    return tuple(keys), size


def _free_instant(zone: LandingZone, stream: str, started: datetime, last_ms: int | None) -> datetime:
    """The sync's instant to the millisecond, moved on past the previous batch's and past a concurrent sync's.

    A clock that went back must not make the newer extraction look older. The previous manifest tells where it stood,
    and so do objects from the future: a sync that was killed leaves parts without a manifest, and Airbyte writes none.
    """
    millis = epoch_ms(started.astimezone(UTC))
    now = max(millis, epoch_ms(utc_now()))
    if last_ms is not None:
        millis = max(millis, last_ms + 1)
    folder = stream_folder(zone.prefix, stream)
    names = [parse_key(zone.prefix, key) for key in zone.keys(folder, f"{folder}/{_day(millis)}_{millis}")]
    taken = {epoch_ms(name.extracted_at) for name in names if name is not None and name.extracted_at is not None}
    millis = max([millis, *[ahead + 1 for ahead in taken if ahead > now]])
    while millis in taken:
        millis += 1
    return from_epoch_ms(millis)


def _day(millis: int) -> str:
    return f"{from_epoch_ms(millis):%Y_%m_%d}"
