"""Reading landed objects: bytes as their name promises them, unpacked, within limits, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from barograph.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from barograph.landing.zone import LandingZone
    from barograph.model import LandedObject

_MIB: Final = 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_MAGIC: Final = {"parquet": (b"PAR1", b"PARE"), "avro": (b"Obj\x01",)}
_KINDS: Final[dict[str, bytes | tuple[bytes, ...]]] = {
    "a zip archive or workbook": _ZIP,
    "gzip": _GZIP,
    "Parquet": _MAGIC["parquet"],
    "Avro": _MAGIC["avro"],
    "an old .xls workbook": b"\xd0\xcf\x11\xe0",
}
_UNPACK_STEP: Final = 4 * _MIB


def open_object(zone: LandingZone, item: LandedObject, *, limit_mib: int) -> Iterator[bytes]:
    """The object's content in chunks of some MiB, gunzipped where its name ends in .gz.

    Raises FormatError for an empty object, for a truncated or damaged gzip, and for content that plainly is not what
    the name says (a workbook, gzip or HTML under a text name, text under .gz, .xlsx, .parquet or .avro); LimitExceeded
    beyond limit_mib.
    """
    chunks = iter(zone.chunks(item))
    first = next((chunk for chunk in chunks if chunk), b"")
    if not first:
        raise FormatError("is empty (0 bytes)", where=item.key, hint="its upload did not finish; sync again")
    _check_name(item.key, first)
    whole: Iterator[bytes] = chain([first], chunks)
    if item.key.endswith(".gz"):
        whole = _gunzip(item.key, whole)
    return _limited(item.key, whole, limit_mib)


def _check_name(key: str, first: bytes) -> None:
    """Hold the first bytes against the name."""
    zipped, gzipped = first.startswith(_ZIP), first.startswith(_GZIP)
    if key.endswith(".gz") and not gzipped:
        raise FormatError("is not gzip, in spite of its name", where=key, hint="remove .gz from its name")
    if key.endswith(".xlsx") and not zipped:
        raise FormatError(f"is not a workbook but {describe(first)}", where=key, hint="give it its own extension")
    if key.endswith((".gz", ".xlsx")):
        return
    extension = key.rpartition(".")[2]
    magic = _MAGIC.get(extension)
    kind = describe(first)
    if (magic is None and kind not in ("JSON", "text")) or (magic is not None and not first.startswith(magic)):
        raise FormatError(f"is not {extension} but {kind}", where=key, hint="give it its own extension")


def describe(first: bytes) -> str:
    """What the first bytes of a file look like, for a message."""
    for kind, magic in _KINDS.items():
        if first.startswith(magic):
            return kind
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "HTML"
    return "JSON" if start.startswith((b"{", b"[")) else "text"


def _gunzip(key: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack, member after member, never more than a few MiB at a time."""
    engine = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if engine.eof:
                    engine = zlib.decompressobj(wbits=31)
                piece = engine.decompress(data, _UNPACK_STEP)
                data = engine.unconsumed_tail or engine.unused_data
                if piece:
                    yield piece
        # A full output step can leave the last bytes inside the engine when the input has ended.
        while not engine.eof and (piece := engine.decompress(b"", _UNPACK_STEP)):
            yield piece
    except zlib.error as error:
        raise FormatError(f"its gzip is damaged ({error})", where=key, hint="sync again") from error
    if not engine.eof:
        raise FormatError("its gzip is cut short", where=key, hint="its upload did not finish; sync again")


def _limited(key: str, chunks: Iterator[bytes], limit_mib: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_mib * _MIB:
            raise LimitExceeded(
                f"unpacks to more than {limit_mib} MiB", where=key, hint="raise [limits] object_mib if it is genuine"
            )
        yield chunk
