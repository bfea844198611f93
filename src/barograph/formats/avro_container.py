"""Avro object container files (specification 1.11): header and blocks, unpacked within a limit, one block at a time.

The blocks are cut and unpacked here, not by the Avro library, which would unpack a block of any size at once.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from barograph.errors import FormatError, LimitExceeded

MAGIC: Final = b"Obj\x01"
HEADER_BYTES: Final = 16 * 1024 * 1024
"""What the header, which is little more than the schema, may measure."""

_SYNC: Final = 16
_MIB: Final = 1024 * 1024
_WINDOW: Final = 128 * _MIB
"""What an xz or zstandard stream may ask for as its window, at least."""
_COMPLETE: Final = "its upload did not finish; sync again"


class _Beyond(Exception):
    """A block unpacks to more than the limit."""


@dataclass(frozen=True, slots=True)
class AvroBlock:
    """A block's records as unpacked bytes; `first` is the 1-based number of the first, `at` the block's byte."""

    first: int
    count: int
    data: bytes
    at: int


class AvroContainer:
    """A container read from chunks of bytes: its header at once, its blocks as they are asked for.

    Raises FormatError (damaged, cut short, an unknown codec) and LimitExceeded beyond `limit_bytes` for one block.
    """

    def __init__(self, chunks: Iterable[bytes], *, where: str, limit_bytes: int) -> None:
        self.where, self._limit = where, limit_bytes
        self._chunks = iter(chunks)
        self._buffer = bytearray()
        self._at = self._dropped = 0
        self.schema, self.codec, self._sync = self._header()
        if self.codec not in CODECS:
            raise FormatError(
                f"is packed with Avro codec {self.codec[:40]!r}", where=where, hint=f"use one of {', '.join(CODECS)}"
            )

    def blocks(self) -> Iterator[AvroBlock]:
        """The blocks that hold records."""
        first = 1
        while self._grow(1):
            at = self._dropped + self._at
            count = self._long("the number of records of a block")
            size = self._long("the size of a block")
            if count < 0 or size < 0:
                raise self.damaged(at, f"its block says {count:,} records in {size:,} bytes")
            if size > self._limit:
                raise self._beyond(at)
            packed = self._take(size, f"inside a block, behind {first - 1:,} records")
            if self._take(_SYNC, f"behind {first - 1:,} records") != self._sync:
                raise self.damaged(at, "its block does not end with the file's marker")
            data = self._unpack(packed, at)
            # A record of Airbyte's holds at least its id; without this bound a count alone could fill the memory.
            if count > len(data):
                raise self.damaged(at, f"its block says {count:,} records in {len(data):,} bytes")
            if count:
                yield AvroBlock(first, count, data, at)
            first += count

    def damaged(self, at: int, why: str) -> FormatError:
        """An error about the block at a byte."""
        return FormatError(
            f"is a damaged Avro file: {why}, at byte {at:,}", where=self.where, hint="sync again, or remove it"
        )

    def _beyond(self, at: int) -> LimitExceeded:
        return LimitExceeded(
            f"has an Avro block of more than {self._limit // _MIB} MiB when unpacked, at byte {at:,}",
            where=self.where,
            hint="raise [limits] record_mib if it is genuine",
        )

    def _unpack(self, packed: bytes, at: int) -> bytes:
        try:
            return CODECS[self.codec](packed, self._limit)
        except _Beyond:
            raise self._beyond(at) from None
        except (ValueError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise self.damaged(at, f"its {self.codec} block cannot be unpacked ({error})") from error

    def _header(self) -> tuple[bytes, str, bytes]:
        if self._take(len(MAGIC), "in its header") != MAGIC:
            raise FormatError("is not an Avro object container file", where=self.where)
        meta: dict[bytes, bytes] = {}
        while count := self._long("its header"):
            if count < 0:
                self._long("its header")
            for _ in range(abs(count)):
                key = self._bytes()
                meta[key] = self._bytes()
        if b"avro.schema" not in meta:
            raise FormatError("is an Avro file without a schema", where=self.where)
        codec = meta.get(b"avro.codec", b"null").decode("ascii", "backslashreplace")
        return meta[b"avro.schema"], codec, self._take(_SYNC, "in its header")

    def _bytes(self) -> bytes:
        size = self._long("its header")
        if not 0 <= size <= HEADER_BYTES or self._dropped + self._at > HEADER_BYTES:
            raise self.damaged(self._dropped + self._at, f"its header says {size:,} bytes")
        return self._take(size, "in its header")

    def _long(self, what: str) -> int:
        """A variable-length zig-zag number."""
        value = shift = 0
        at = self._dropped + self._at
        while True:
            byte = self._take(1, f"in {what}")[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            if shift > 63:
                raise self.damaged(at, f"{what} is no number")

    def _take(self, size: int, place: str) -> bytes:
        if not self._grow(size):
            raise FormatError(
                f"is an Avro file cut short {place}, at byte {self._dropped + len(self._buffer):,}",
                where=self.where,
                hint=_COMPLETE,
            )
        self._at += size
        return bytes(self._buffer[self._at - size : self._at])

    def _grow(self, size: int) -> bool:
        """Have `size` bytes ahead; False where the file ends before."""
        while len(self._buffer) - self._at < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            del self._buffer[: self._at]
            self._dropped += self._at
            self._at = 0
            self._buffer += chunk
        return True


def _within(data: bytes, limit: int, *, ended: bool) -> bytes:
    if len(data) > limit:
        raise _Beyond
    if not ended:
        raise EOFError("it is cut short")
    return data


def _null(packed: bytes, limit: int) -> bytes:
    return _within(packed, limit, ended=True)


def _deflate(packed: bytes, limit: int) -> bytes:
    engine = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    data = engine.decompress(packed, limit + 1)
    return _within(data, limit, ended=engine.eof)


def _bzip2(packed: bytes, limit: int) -> bytes:
    engine = bz2.BZ2Decompressor()
    data = engine.decompress(packed, limit + 1)
    return _within(data, limit, ended=engine.eof)


def _xz(packed: bytes, limit: int) -> bytes:
    engine = lzma.LZMADecompressor(memlimit=max(2 * limit, _WINDOW))
    data = engine.decompress(packed, limit + 1)
    return _within(data, limit, ended=engine.eof)


def _zstandard(packed: bytes, limit: int) -> bytes:
    import zstandard

    pieces, size = [], 0
    try:
        said = zstandard.frame_content_size(packed)
        with zstandard.ZstdDecompressor(max_window_size=max(limit, _WINDOW)).stream_reader(packed) as reader:
            while size <= limit and (piece := reader.read(_MIB)):
                pieces.append(piece)
                size += len(piece)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    return _within(b"".join(pieces), limit, ended=said in (-1, size) or size > limit)


def _snappy(packed: bytes, limit: int) -> bytes:
    """Raw snappy, then the CRC-32 of the content."""
    import cramjam

    if len(packed) < 5:
        raise EOFError("it is cut short")
    body, checksum = packed[:-4], int.from_bytes(packed[-4:], "big")
    try:
        if cramjam.snappy.decompress_raw_len(body) > limit:
            raise _Beyond
        data = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from error
    if zlib.crc32(data) != checksum:
        raise ValueError("its checksum is wrong")
    return data


CODECS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "null": _null,
    "deflate": _deflate,
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": _bzip2,
    "xz": _xz,
}
