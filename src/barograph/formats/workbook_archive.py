"""What stands before a workbook is opened: is it one, is it whole, and what will it weigh when unpacked?

The workbook reader lays each sheet out as a full rectangle and copies a shared text into every cell that uses it. A
file of 5 kB whose only two cells are A1 and XFD1048576 ends the process (measured: allocation failure, SIGABRT), and
66 kB of one long text in 30,000 cells take 1.7 GB. So three weights are taken from the bytes that really come out of
the archive, never from the sizes that it declares.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final, NoReturn

from barograph.errors import FormatError, LimitExceeded

MIB: Final = 1024 * 1024
MAX_MEMBERS: Final = 10_000
"""A year with a sheet a day has some 380 members."""

RATIO_FLOOR: Final = 16 * MIB
MAX_RATIO: Final = 250
"""Sheets of real exports unpack 8 : 1, their shared texts 27 : 1; deflate ends at 1032 : 1. Held beyond 16 MiB only."""

CELL_BYTES: Final = 32
"""One cell of the rectangle in the reader's memory (measured: 60.2 million cells take 1.89 GB)."""

_FEED: Final = 64 * 1024
_STEP: Final = 1 * MIB
_WINDOW: Final = 4 * MIB
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP: Final = b"PK\x03\x04"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_MAGIC: Final[dict[str, tuple[bytes, ...]]] = {
    "a zip archive": (_ZIP, b"PK\x05\x06"),
    "gzip": (b"\x1f\x8b",),
    "a PDF": (b"%PDF",),
    "UTF-16 text": (b"\xff\xfe", b"\xfe\xff"),
}
_MARKUP: Final[dict[str, tuple[bytes, ...]]] = {
    "HTML": (b"<!doctype html", b"<html", b"<head", b"<body"),
    "XML or HTML": (b"<",),
    "JSON": (b"{", b"["),
}
_LOCAL_HEADER: Final = 30
_REFERENCE: Final = re.compile(rb"\br\s*=\s*[\"']?\s*([A-Za-z]*)([0-9]+)")
_SHARED: Final = re.compile(rb"<(?:[\w.-]+:)?si[\s/>]")
_WORKBOOK: Final = re.compile(r"xl/workbook[^/]*\.xml", re.IGNORECASE)


def seems(data: bytes) -> str:
    """What a file looks like from its first bytes, for a message.

    One of "empty", "CSV", "text", "binary data", "UTF-16 text" and the names in the tables below.
    """
    if not data:
        return "empty"
    if data.startswith(_OLE):
        return "an encrypted workbook" if _ENCRYPTED in data else "an old .xls workbook"
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for kind, beginnings in _MAGIC.items():
        if data.startswith(beginnings):
            return kind
    for kind, beginnings in _MARKUP.items():
        if start.startswith(beginnings):
            return kind
    if b"\0" in data[:4096]:
        return "binary data"
    first_line = data[:4096].partition(b"\n")[0]
    return "CSV" if any(first_line.count(mark) for mark in (b",", b";", b"\t")) else "text"


def check_archive(data: bytes, *, name: str, limit_mib: int) -> None:
    """Raise unless `data` is a whole .xlsx workbook that unpacks within `limit_mib`.

    The limit bounds the sum of all unpacked members, and for each sheet the rectangle from A1 to its last cell and the
    texts that its cells can hold. Raises FormatError (not a workbook, encrypted, truncated, damaged) and LimitExceeded.
    """
    if not data.startswith(_ZIP):
        _refuse(data, name)
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise FormatError(
            f"is a truncated or damaged workbook ({error})", where=name, hint="is the download or the upload complete?"
        ) from error
    if len(members) > MAX_MEMBERS:
        raise LimitExceeded(f"has {len(members):,} members, more than {MAX_MEMBERS:,}", where=name, hint="split it")
    if any(member.flag_bits & 1 for member in members):
        raise FormatError("is encrypted", where=name, hint="save it without a password")
    if not any(_WORKBOOK.fullmatch(member.filename) for member in members):
        found = ", ".join(member.filename[:40] for member in members[:3]) or "nothing"
        raise FormatError(f"is a zip archive without a workbook ({found})", where=name, hint="save the table as .xlsx")
    scales = _Scales(name, limit_mib * MIB)
    for member in members:
        scales.weigh(member.filename, scales.unpack(data, member))
    scales.verdict()


def _refuse(data: bytes, name: str) -> NoReturn:
    kind = seems(data)
    hints = {
        "empty": "is the download or the upload complete?",
        "an encrypted workbook": "save it without a password",
        "an old .xls workbook": "save it as .xlsx",
        "gzip": "unpack it first",
        "CSV": "give it the extension .csv",
        "HTML": "the server sent a page instead of the file; open the address in a browser",
    }
    what = "is empty (0 bytes)" if kind == "empty" else f"is not an .xlsx workbook but {kind}"
    raise FormatError(what, where=name, hint=hints.get(kind, "save the table as .xlsx"))


@dataclass(frozen=True, slots=True)
class _Extent:
    """A sheet's last row and column (1-based) and a bound to its number of cells with a value."""

    member: str
    rows: int
    columns: int
    cells: int


class _Scales:
    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._unpacked = 0
        self._longest_text = 0
        self._extents: list[_Extent] = []

    def unpack(self, data: bytes, member: zipfile.ZipInfo) -> bytes:
        """The member's bytes, counted while they come out."""
        start = member.header_offset
        header = data[start : start + _LOCAL_HEADER]
        if len(header) < _LOCAL_HEADER or not header.startswith(_ZIP):
            raise self._damaged(member.filename, "it does not stand where the archive says")
        start += _LOCAL_HEADER + sum(struct.unpack_from("<HH", header, 26))
        packed = data[start : start + member.compress_size]
        if len(packed) < member.compress_size:
            raise self._damaged(member.filename, "it is cut short")
        if member.compress_type == zipfile.ZIP_STORED:
            self._count(member.filename, len(packed), len(packed), len(packed))
            content = packed
        elif member.compress_type == zipfile.ZIP_DEFLATED:
            content = self._inflate(member.filename, packed)
        else:
            raise self._damaged(member.filename, f"it is packed with method {member.compress_type}, not deflate")
        if zlib.crc32(content) != member.CRC:
            raise self._damaged(member.filename, "its checksum is wrong")
        return content

    def _inflate(self, member: str, packed: bytes) -> bytes:
        engine = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        pieces: list[bytes] = []
        size = 0
        try:
            for start in range(0, len(packed), _FEED):
                rest = packed[start : start + _FEED]
                while rest and not engine.eof:
                    pieces.append(engine.decompress(rest, _STEP))
                    rest = engine.unconsumed_tail
                    size += len(pieces[-1])
                    self._count(member, len(pieces[-1]), size, min(start + _FEED, len(packed)) - len(rest))
            # A full output step can leave the last bytes inside the engine when the input has ended.
            while not engine.eof and (piece := engine.decompress(b"", _STEP)):
                pieces.append(piece)
                size += len(piece)
                self._count(member, len(piece), size, len(packed))
        except zlib.error as error:
            raise self._damaged(member, str(error)) from error
        if not engine.eof:
            raise self._damaged(member, "it is cut short")
        return b"".join(pieces)

    def _count(self, member: str, more: int, size: int, packed: int) -> None:
        self._unpacked += more
        if self._unpacked > self._limit:
            raise self._beyond(f"unpacks to more than {self._limit // MIB} MiB")
        if size > RATIO_FLOOR and size > MAX_RATIO * packed:
            raise LimitExceeded(
                f"{member} unpacks more than {MAX_RATIO}-fold", where=self._name, hint="no table does; do not trust it"
            )

    def weigh(self, member: str, content: bytes) -> None:
        """Note a sheet's extent, or the longest shared text."""
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            # The workbook reader takes such a sheet for an empty one.
            raise self._damaged(member, "it is UTF-16, not UTF-8")
        if b"sheetData" in content:
            self._extents.append(_extent(member, content))
        elif b"sst" in content[:4096]:
            starts = [match.start() for match in _SHARED.finditer(content)]
            ends = [*starts[1:], len(content)]
            self._longest_text = max((end - start for start, end in zip(starts, ends, strict=False)), default=0)

    def verdict(self) -> None:
        """Raise LimitExceeded for a sheet whose rectangle or whose texts would not fit."""
        for extent in self._extents:
            if extent.rows * max(extent.columns, 1) * CELL_BYTES > self._limit:
                raise self._beyond(
                    f"{extent.member} reaches to row {extent.rows:,}, column {extent.columns:,}, which takes more than "
                    f"{self._limit // MIB} MiB",
                    "clear the cells far away from the table",
                )
            if extent.cells * self._longest_text > self._limit:
                raise self._beyond(
                    f"{extent.member} has about {extent.cells:,} cells and there are texts of {self._longest_text:,} "
                    f"bytes, together more than {self._limit // MIB} MiB",
                    "clear the long texts",
                )

    def _beyond(self, what: str, otherwise: str = "split it") -> LimitExceeded:
        return LimitExceeded(
            what, where=self._name, hint=f"{otherwise}, or raise [limits] unpacked_mib if it is genuine"
        )

    def _damaged(self, member: str, why: str) -> FormatError:
        return FormatError(
            f"is a truncated or damaged workbook ({member}: {why})",
            where=self._name,
            hint="is the download or the upload complete?",
        )


def _extent(member: str, content: bytes) -> _Extent:
    """The extent that a sheet's cell and row references span, some MiB at a time, each cut before a tag."""
    letters: set[bytes] = set()
    digits: set[bytes] = set()
    at = 0
    while at < len(content):
        end = content.rfind(b"<", at + 1, at + _WINDOW) if at + _WINDOW < len(content) else len(content)
        if end < 0:
            end = content.find(b"<", at + _WINDOW)
        end = len(content) if end < 0 else end
        found = _REFERENCE.findall(content, at, end)
        letters.update(column for column, _ in found)
        digits.update(row for _, row in found)
        at = end
    rows = max((int(row[:12]) for row in digits), default=0)
    # Every cell with a value closes two tags, </v> and </c>.
    return _Extent(member, rows, max(map(_column, letters), default=0), content.count(b"</") // 2)


def _column(letters: bytes) -> int:
    """Excel's column letters as a 1-based number; beyond any column where there are more than seven."""
    number = 0
    for letter in letters[:8].upper():
        number = number * 26 + letter - 64
    return number
