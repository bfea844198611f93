"""Records as lines in a temporary file, and the envelope that Airbyte's S3 destination puts around them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import Any, Final

import orjson

from barograph.errors import LandingError
from barograph.landing.flatten import csv_fields, csv_header, json_fields
from barograph.model import epoch_ms

PART_BYTES: Final = 64 * 1024 * 1024
SPOOL_BYTES: Final = 16 * 1024 * 1024
"""Up to here records are held in memory, from there in a temporary file that has no name: a kill leaves nothing."""
_STEP: Final = 1024 * 1024
# JSON numbers above 2**53 lose digits in most readers, and a float that large is not "an integer by accident".
_EXACT: Final = float(2**53)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two records of a spool, and the SHA-256 of the lines before it."""

    size: int
    count: int
    digest: str


class Spool:
    """Records, a compact JSON line each.

    The file has no buffer of its own: after a write that failed, what was added before can still be read and cut.
    """

    def __init__(self) -> None:
        self._file: io.FileIO | None = None
        self.clear()

    def clear(self) -> None:
        """Drop everything."""
        if self._file is not None:
            self._file.truncate(0)
        self._held = bytearray()
        self._written = 0
        self._digest = hashlib.sha256()
        self.size = self.count = 0

    def add(self, record: dict[str, Any]) -> None:
        """Append a record. Raises LandingError where the temporary folder is full."""
        line = orjson.dumps(integral(record)) + b"\n"
        self._held += line
        self._digest.update(line)
        self.size += len(line)
        self.count += 1
        if len(self._held) >= (SPOOL_BYTES if self._file is None else _STEP):
            self._write_out()

    def _write_out(self) -> None:
        try:
            if self._file is None:
                file = TemporaryFile(buffering=0)  # noqa: SIM115 - close() is the holder's
                assert isinstance(file, io.FileIO)  # noqa: S101 - what buffering=0 means
                self._file = file
            self._file.seek(self._written)
            # Released by the end: what is seen through a view cannot be cut.
            with memoryview(self._held) as view:
                done = 0
                while done < len(view):
                    with view[done:] as rest:
                        done += self._file.write(rest)
        except OSError as error:
            raise LandingError(
                f"the records cannot be kept in the temporary folder: {error.strerror}",
                hint="free some space there, or name another folder in TMPDIR",
            ) from error
        self._written += len(self._held)
        self._held = bytearray()

    def mark(self) -> Mark:
        """The end, as it is now."""
        return Mark(self.size, self.count, self._digest.hexdigest())

    def cut(self, mark: Mark) -> None:
        """Drop what came after a mark; nothing can be added then."""
        del self._held[max(0, mark.size - self._written) :]
        self._written = min(self._written, mark.size)
        self.size, self.count = mark.size, mark.count

    def lines(self) -> Iterator[bytes]:
        """The records' lines, without their ends."""
        if self._file is not None:
            # A write that failed, or a cut, leaves bytes behind what counts.
            self._file.truncate(self._written)
            self._file.seek(0)
            reader = io.BufferedReader(self._file, _STEP)
            try:
                for line in reader:
                    yield line[:-1]
            finally:
                reader.detach()
        for line in io.BytesIO(self._held):
            yield line[:-1]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def integral(value: Any) -> Any:
    """Integral floats as integers, as Airbyte's destinations print them (0.0 -> 0)."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if type(value) is dict:
        return {key: integral(item) for key, item in value.items()}
    if type(value) is list:
        return [integral(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same for every record of a batch: its instant, generation, sync, and the objects' form."""

    instant: datetime
    generation: int
    sync_id: int
    extension: str
    columns: tuple[str, ...] = ()
    flat: bool = False

    def parts(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The bodies of the batch's objects; a batch without records has none, as with Airbyte.

        Where it is `flat`, `columns` are those of a CSV.
        """
        header = b""
        if self.extension.startswith("csv"):
            header = csv_header(self.columns if self.flat else ("_airbyte_data",))
        make = self._csv_row if header else self._json_row
        millis = epoch_ms(self.instant)
        meta = orjson.dumps({"sync_id": self.sync_id, "changes": []})
        rows, size = [], 0
        for data in lines:
            row = make(_uuid7(millis), millis, meta, data)
            rows.append(row)
            size += len(row)
            if size >= PART_BYTES:
                yield b"".join((header, *rows))
                rows, size = [], 0
        if rows:
            yield b"".join((header, *rows))

    def _csv_row(self, raw_id: bytes, millis: int, meta: bytes, data: bytes) -> bytes:
        fields = csv_fields(data, self.columns) if self.flat else b',"%s"' % data.replace(b'"', b'""')
        return b'"%s",%d,"%s",%d%s\r\n' % (raw_id, millis, meta.replace(b'"', b'""'), self.generation, fields)

    def _json_row(self, raw_id: bytes, millis: int, meta: bytes, data: bytes) -> bytes:
        fields = json_fields(data) if self.flat else b',"_airbyte_data":%s}' % data
        return (
            b'{"_airbyte_raw_id":"%s","_airbyte_extracted_at":%d,"_airbyte_meta":%s,"_airbyte_generation_id":%d%s\n'
            % (raw_id, millis, meta, self.generation, fields)
        )


def _uuid7(millis: int) -> bytes:
    """A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, 74 random bits."""
    value = (millis << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = b"%032x" % value
    return b"%s-%s-%s-%s-%s" % (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
