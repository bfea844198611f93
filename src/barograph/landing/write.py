"""Writing to the landing zone: Airbyte's layout, write-once, a new generation only when the content changed.

The records of a sync are spooled to a local temporary file first. Nothing is landed before the source has finished,
so a source that fails half-way leaves no trace; nothing that stands is ever overwritten or removed, so a crash while
landing leaves the previous generation whole. The manifest is written last and marks the generation complete; parts
without one (from such a crash) hold true rows and do no harm: reports are merged idempotently, and the next sync
writes the generation again.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final

import orjson

from barograph.errors import LandingError
from barograph.landing.layout import manifest_folder, manifest_key, object_key
from barograph.model import epoch_ms, from_epoch_ms, iso

if TYPE_CHECKING:
    from barograph.landing.zone import LandingZone

PART_BYTES: Final = 64 * 1024 * 1024
SPOOL_BYTES: Final = 16 * 1024 * 1024
_CSV_HEADER: Final = (
    b'"_airbyte_raw_id","_airbyte_extracted_at","_airbyte_meta","_airbyte_generation_id","_airbyte_data"\r\n'
)
_CLASHES: Final = 10
# JSON numbers above 2**53 lose digits in most readers, and a float that large is not "an integer by accident".
_EXACT: Final = float(2**53)


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
) -> Landed:
    """Land a full refresh of `stream`, unless the newest complete generation holds the same records already."""
    extension = format + (".gz" if compression == "gzip" else "")
    with SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        digest, count = _spool(records, spool)
        last = _newest_manifest(zone, stream)
        if (
            last is not None
            and last["digest"] == digest
            and last["extension"] == extension
            and _whole(zone, stream, last)
        ):
            return Landed(False, last["generation_id"], tuple(last["objects"]), count, 0)
        generation = 1 if last is None else last["generation_id"] + 1
        for _ in range(_CLASHES):
            instant = _free_instant(zone, stream, started, None if last is None else last["extracted_at"])
            written = _write(zone, stream, spool, instant, generation, extension)
            if written is not None:
                break
        else:
            raise LandingError(
                "other syncs of this stream keep taking the same instants",
                where=stream,
                hint="run again, one at a time",
            )
    keys, size = written
    manifest = {
        "generation_id": generation,
        "extracted_at": epoch_ms(instant),
        "synced_at": iso(instant),
        "records": count,
        "extension": extension,
        "digest": digest,
        "objects": keys,
    }
    zone.create(manifest_key(zone.prefix, stream, instant), orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return Landed(True, generation, tuple(keys), count, size)


def _write(
    zone: LandingZone, stream: str, spool: IO[bytes], instant: datetime, generation: int, extension: str
) -> tuple[list[str], int] | None:
    """Write a generation's objects; their keys and bytes, or None where a concurrent sync has taken the instant.

    Nothing is overwritten: the whole generation is then written at another instant.
    """
    keys, size = [], 0
    spool.seek(0)
    for part, body in enumerate(_parts(spool, instant, generation, extension.removesuffix(".gz"))):
        data = gzip.compress(body, 6, mtime=0) if extension.endswith(".gz") else body
        key = object_key(zone.prefix, stream, instant, part, extension)
        if not zone.create(key, data, {"ab-generation-id": str(generation)}):
            return None
        keys.append(key)
        size += len(data)
    return keys, size


def _spool(records: Iterable[dict[str, Any]], spool: IO[bytes]) -> tuple[str, int]:
    """Write one compact JSON line per record; return the SHA-256 of the lines and their number."""
    digest, count = hashlib.sha256(), 0
    for record in records:
        line = orjson.dumps(_integral(record)) + b"\n"
        digest.update(line)
        spool.write(line)
        count += 1
    return digest.hexdigest(), count


def _integral(value: Any) -> Any:
    """Integral floats as integers, as Airbyte's destinations print them (0.0 -> 0)."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if type(value) is dict:
        return {key: _integral(item) for key, item in value.items()}
    if type(value) is list:
        return [_integral(item) for item in value]
    return value


def _newest_manifest(zone: LandingZone, stream: str) -> dict[str, Any] | None:
    keys = zone.keys(manifest_folder(zone.prefix, stream))
    if not keys:
        return None
    newest = max(keys, key=lambda key: int(key.rpartition("/")[2].removesuffix(".json")))
    manifest: dict[str, Any] = orjson.loads(zone.read(newest))
    return manifest


def _whole(zone: LandingZone, stream: str, manifest: dict[str, Any]) -> bool:
    """Whether every object of a generation still stands (an operator may have removed one)."""
    folder = "/".join(filter(None, (zone.prefix, stream)))
    return set(manifest["objects"]) <= set(zone.keys(folder))


def _free_instant(zone: LandingZone, stream: str, started: datetime, last_ms: int | None) -> datetime:
    """The sync's instant to the millisecond, moved on past the previous generation's and past a concurrent sync's.

    A clock that went back must not make the newer extraction look older.
    """
    millis = epoch_ms(started.astimezone(UTC))
    if last_ms is not None:
        millis = max(millis, last_ms + 1)
    instant = from_epoch_ms(millis)
    folder = "/".join(filter(None, (zone.prefix, stream)))
    taken = zone.keys(folder)
    while any(f"_{epoch_ms(instant)}_" in key for key in taken):
        instant += timedelta(milliseconds=1)
    return instant


def _parts(spool: IO[bytes], instant: datetime, generation: int, format: str) -> Iterator[bytes]:  # noqa: A002
    """The bodies of the generation's objects; a generation without records has none, as with Airbyte."""
    millis = epoch_ms(instant)
    meta = orjson.dumps({"sync_id": generation, "changes": []})
    rows, size = [], 0
    for line in spool:
        data = line[:-1]
        raw_id = _uuid7(millis)
        if format == "csv":
            row = b'"%s",%d,"%s",%d,"%s"\r\n' % (
                raw_id,
                millis,
                meta.replace(b'"', b'""'),
                generation,
                data.replace(b'"', b'""'),
            )
        else:
            row = (
                b'{"_airbyte_raw_id":"%s","_airbyte_extracted_at":%d,"_airbyte_meta":%s,'
                b'"_airbyte_generation_id":%d,"_airbyte_data":%s}\n' % (raw_id, millis, meta, generation, data)
            )
        rows.append(row)
        size += len(row)
        if size >= PART_BYTES:
            yield _body(rows, format)
            rows, size = [], 0
    if rows:
        yield _body(rows, format)


def _body(rows: list[bytes], format: str) -> bytes:  # noqa: A002
    return b"".join([_CSV_HEADER, *rows] if format == "csv" else rows)


def _uuid7(millis: int) -> bytes:
    """A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, 74 random bits."""
    value = (millis << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = b"%032x" % value
    return b"%s-%s-%s-%s-%s" % (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
