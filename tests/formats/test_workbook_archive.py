"""What is refused before a workbook is opened."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import FormatError, LimitExceeded
from barograph.formats.workbook import read_workbook
from barograph.formats.workbook_archive import MIB, check_archive, seems
from tests.formats.workbooks import day_table, rewritten, workbook

BOOK = workbook({"011024": day_table()})


def _check(data: bytes, limit_mib: int = 64) -> None:
    check_archive(data, name="table.xlsx", limit_mib=limit_mib)


def _zeros(size: int) -> tuple[bytes, int]:
    """Deflate of `size` (whole MiB) zeros without compressing them, one block over and over; the checksum of 3 MiB."""
    engine = zlib.compressobj(9, wbits=-15)
    block = engine.compress(bytes(MIB)) + engine.flush(zlib.Z_FULL_FLUSH)
    return block * (size // MIB) + engine.flush(zlib.Z_FINISH), zlib.crc32(bytes(3 * MIB))


def _with_member(data: bytes, name: str, packed: bytes, crc: int, declared: int) -> bytes:
    """The archive with one more deflated member, whose unpacked size is whatever `declared` says."""
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_STORED
        archive.writestr(info, packed)
        info.compress_type, info.file_size, info.CRC = zipfile.ZIP_DEFLATED, declared, crc
    return stream.getvalue()


def test_a_good_workbook_passes() -> None:
    """The checks refuse nothing that is in order."""
    _check(BOOK)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><title>Login</title>", "but HTML"),
        (b'\xef\xbb\xbf {"status": "OK"}', "but JSON"),
        (b"Time,Temperature\n00:04:00,56.8", "but CSV"),
        (b"\x1f\x8b\x08\x00", "but gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), r"but an old \.xls workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "but an encrypted workbook"),
        (b"%PDF-1.7", "but a PDF"),
        (b"\xff\xfeT\0i\0", "but UTF-16 text"),
        (bytes(100), "but binary data"),
        (b"Wrong ip address", "but text"),
    ],
)
def test_what_is_no_workbook_is_called_by_its_name(data: bytes, kind: str) -> None:
    """The message says what the file seems to be, where it is and what to do."""
    with pytest.raises(FormatError, match=kind) as caught:
        list(read_workbook(data, name="table.xlsx", limit_mib=64))
    assert str(caught.value).startswith("table.xlsx: ")
    assert caught.value.hint


def test_a_zip_of_something_else() -> None:
    """A zip archive, even a Word document, is no workbook."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    with pytest.raises(FormatError, match=r"without a workbook \(word/document.xml\)"):
        _check(stream.getvalue())


def test_an_encrypted_member() -> None:
    """A password is named as the reason."""
    data = bytearray(BOOK)
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    with pytest.raises(FormatError, match="is encrypted"):
        _check(bytes(data))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_workbook(share: float) -> None:
    """A download that broke off is called truncated, wherever it did."""
    with pytest.raises(FormatError, match="truncated or damaged"):
        _check(BOOK[: int(len(BOOK) * share)])


def test_a_changed_value_is_found() -> None:
    """A member that unpacks well, but to something else than was packed, is refused and not read."""
    data = bytearray(BOOK)
    data[data.index(b"PK\x01\x02") + 16] ^= 1
    with pytest.raises(FormatError, match="its checksum is wrong"):
        _check(bytes(data))


def test_a_flipped_bit_is_found() -> None:
    """Damage inside of a member is refused under the member's name."""
    data = bytearray(rewritten(BOOK, lambda _, content: content))
    start = data.index(b"xl/worksheets/sheet1.xml") + len(b"xl/worksheets/sheet1.xml") + 40
    data[start] ^= 0x10
    with pytest.raises(FormatError, match=r"sheet1\.xml"):
        _check(bytes(data))


@given(st.data())
@settings(max_examples=150)
def test_damage_is_always_a_format_error(data: st.DataObject) -> None:
    """Whatever bytes are overwritten or cut, a workbook is read or refused in our terms, never otherwise."""
    spoilt = bytearray(BOOK)
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(BOOK) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(BOOK)), st.integers(0, len(BOOK))))
    with contextlib.suppress(FormatError):
        list(read_workbook(bytes(spoilt[:cut]), name="x", limit_mib=16))


@pytest.mark.parametrize("declared", [1024**3, 100])
def test_a_bomb_is_stopped_early(declared: int) -> None:
    """1 GiB of zeros in a megabyte of zip is given up in a moment, whatever size the archive declares for it."""
    packed, crc = _zeros(1024 * MIB)
    bomb = _with_member(BOOK, "xl/media/bomb.bin", packed, crc, declared)
    started = time.process_time()
    with pytest.raises(LimitExceeded, match=r"bomb\.bin unpacks more than 250-fold"):
        _check(bomb, 512)
    assert time.process_time() - started < 0.5


def test_the_limit_counts_what_really_comes_out() -> None:
    """Members that are each in order exceed the limit together, and the message names it."""
    packed, crc = _zeros(3 * MIB)
    data = _with_member(_with_member(BOOK, "a.bin", packed, crc, 3 * MIB), "b.bin", packed, crc, 10)
    _check(data, 7)
    with pytest.raises(LimitExceeded, match="unpacks to more than 5 MiB"):
        _check(data, 5)


def test_a_far_cell_is_refused() -> None:
    """Two cells at opposite corners would make the reader lay out 17 thousand million; that is seen before."""

    def write(attribute: bytes) -> bytes:
        return rewritten(BOOK, lambda _, text: text.replace(b'r="A3"', attribute))

    for attribute in (
        b'r="XFD1048576"',
        b"r = 'XFD1048576'",
        b'a=">" r="xfd1048576"',
        b'r="F99999999999"',
        b'r="ZZZZZZZZZ1"',
    ):
        with pytest.raises(LimitExceeded, match="clear the cells far away"):
            _check(write(attribute))


def test_a_tall_narrow_sheet_is_not_refused() -> None:
    """A year of one-minute rows in one sheet is within the default limit."""
    tall = rewritten(BOOK, lambda _, text: text.replace(b'r="A3"', b'r="A525600"'))
    _check(tall, 512)


def test_a_long_text_in_many_cells_is_refused() -> None:
    """A shared text is stored once and unpacked into each cell that shows it: 30 kB in 3,000 cells are 90 MB."""
    data = workbook({"a": [["x" * 30_000] * 10] * 300})
    assert len(data) < 20_000
    with pytest.raises(LimitExceeded, match=r"about 3,1\d\d cells"):
        _check(data, 16)


def test_a_utf_16_sheet_is_refused() -> None:
    """The reader would take it for an empty sheet and lose its rows in silence."""

    def encode(name: str, text: bytes) -> bytes:
        return text.decode().encode("utf-16") if "sheet1" in name else text

    with pytest.raises(FormatError, match="UTF-16"):
        _check(rewritten(BOOK, encode))


def test_too_many_members() -> None:
    """An archive of ten thousand nothings is no workbook."""
    stream = io.BytesIO(BOOK)
    with zipfile.ZipFile(stream, "a") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}", b"")
    with pytest.raises(LimitExceeded, match="members"):
        _check(stream.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        lambda data, at: struct.pack_into("<H", data, at + 10, 12),
        lambda data, at: struct.pack_into("<I", data, at + 42, 7),
    ],
    ids=["method", "offset"],
)
def test_a_strange_archive(change: Callable[[bytearray, int], None]) -> None:
    """Another packing than deflate, or a member that is not where it should be, is refused by name."""
    data = bytearray(BOOK)
    change(data, data.index(b"PK\x01\x02"))
    with pytest.raises(FormatError, match=r"\[Content_Types\]\.xml"):
        _check(bytes(data))


def test_seems_needs_only_the_beginning() -> None:
    """The guess works on the first bytes of a stream."""
    assert seems(BOOK[:8]) == "a zip archive"
    assert seems(b"a;b;c\n") == "CSV"
