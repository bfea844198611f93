r"""BSON arrays of fixed-width values, read and written as whole columns.

A BSON array is a document whose keys are "0", "1", …: each element is a type byte, the key in decimal, a NUL and the
value (bsonspec.org). In an array of n doubles without a null every byte's place is therefore known: one
`struct.Struct` with pad bytes reads all values at once, and the types are checked by three strided slices (keys of one,
two and three digits). Measured on 288 values, CPython 3.11:

    doubles   pymongo's C decoder   8.4 µs          here 4.6
    dates     pymongo's C decoder   18 µs (naive)   here 4.6, and already the integers that polars takes
    writing dates, pymongo's C encoder   47 µs (naive), 268 (aware)   here 17

What is not of this shape (a null, a mixture, text, many values) goes through pymongo's decoder; doubles and integers
are written by its encoder, which needs 11 µs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import bson

DOUBLE: Final = 0x01
STRING: Final = 0x02
DOCUMENT: Final = 0x03
ARRAY: Final = 0x04
DATE: Final = 0x09
NULL: Final = 0x0A
INT32: Final = 0x10
INT64: Final = 0x12

MOST_DIGITS: Final = 4
"""Keys of the arrays that are read in this way: 10,000 values are more than one report in ten seconds."""

_WIDTHS: Final = {DOUBLE: 8, 0x07: 12, 0x08: 1, DATE: 8, NULL: 0, INT32: 4, 0x11: 8, INT64: 8, 0x13: 16}
_CODES: Final = {DOUBLE: "d", DATE: "q", INT32: "i", INT64: "q"}


class Malformed(ValueError):
    """Bytes that are not the BSON they should be."""


def elements(raw: bytes, start: int = 0) -> Iterator[tuple[str, int, int, int]]:
    """(key, type, begin, end) of each element of the document at `start`; begin and end bound its value."""
    place, stop = start + 4, start + int.from_bytes(raw[start : start + 4], "little") - 1
    if stop >= len(raw):
        raise Malformed("a document that is cut off")
    while place < stop:
        kind = raw[place]
        nul = raw.find(0, place + 1, stop)
        begin = nul + 1
        if kind in (ARRAY, DOCUMENT):
            end = begin + int.from_bytes(raw[begin : begin + 4], "little")
        elif kind == STRING:
            end = begin + 4 + int.from_bytes(raw[begin : begin + 4], "little")
        elif kind in _WIDTHS:
            end = begin + _WIDTHS[kind]
        else:
            raise Malformed(f"an element of type 0x{kind:02x}")
        if nul < 0 or not begin <= end <= stop:
            raise Malformed("an element that is cut off")
        yield raw[place + 1 : nul].decode(), kind, begin, end
        place = end


@lru_cache(maxsize=256)
def _layout(size: int, kind: int) -> tuple[struct.Struct, tuple[tuple[int, int, int, bytes], ...]] | None:
    """The reader and the places of the type bytes of an array of `size` bytes that holds only `kind`, if that fits.

    Places are relative to the first element.
    """
    width, code = _WIDTHS[kind], _CODES[kind]
    left, digits, at = size - 5, 1, 0
    form, types = ["<"], []
    while left > 0:
        step = 1 + digits + 1 + width
        here = min(left // step, 9 * 10 ** (digits - 1) + (digits == 1))
        if here == 0 or digits > MOST_DIGITS:
            return None
        types.append((at, at + here * step, step, bytes([kind]) * here))
        form.append(f"{digits + 2}x{code}" * here)
        left, at, digits = left - here * step, at + here * step, digits + 1
    return struct.Struct("".join(form)), tuple(types)


def values(raw: bytes, begin: int, end: int, kind: int) -> Sequence[Any]:
    """The values of the array in raw[begin:end], best if all of them are of `kind`; dates as milliseconds."""
    layout = _layout(end - begin, kind)
    if layout is not None:
        reader, types = layout
        at = begin + 4
        for first, stop, step, expected in types:
            if raw[at + first : at + stop : step] != expected:
                break
        else:
            return reader.unpack_from(raw, at)
    items = decoded(raw, begin, end)
    return [int(item) if isinstance(item, bson.DatetimeMS) else item for item in items] if kind == DATE else items


def decoded(raw: bytes, begin: int, end: int) -> list[Any]:
    """The values of any array in raw[begin:end] through pymongo's decoder; dates as DatetimeMS."""
    document = struct.pack("<i", end - begin + 8) + b"\x04v\x00" + raw[begin:end] + b"\x00"
    items: list[Any] = bson.decode(document, _MILLISECONDS)["v"]
    return items


_MILLISECONDS: Final[bson.CodecOptions[dict[str, Any]]] = bson.CodecOptions(
    datetime_conversion=bson.DatetimeConversion.DATETIME_MS
)


@lru_cache(maxsize=256)
def _template(count: int, kind: int) -> tuple[bytes, tuple[tuple[int, int, int, int, int], ...]]:
    """An array of `count` values of `kind`, all zero, and where their bytes go: (from, to, first, stop, step)."""
    array = bytearray(4)
    runs = []
    for digits in (1, 2, 3, 4, 5, 6, 7, 8):
        first, stop = (0 if digits == 1 else 10 ** (digits - 1)), min(count, 10**digits)
        if first >= stop:
            break
        step = digits + 2 + _WIDTHS[kind]
        runs.append((first, stop, len(array) + digits + 2, len(array) + (stop - first) * step, step))
        for key in range(first, stop):
            array += bytes([kind]) + str(key).encode() + bytes(1 + _WIDTHS[kind])
    array.append(0)
    array[:4] = struct.pack("<i", len(array))
    return bytes(array), tuple(runs)


def array_of(numbers: Sequence[int], kind: int) -> bytes:
    """A BSON array of `kind` from whole numbers (dates: milliseconds)."""
    width = _WIDTHS[kind]
    packed = struct.pack(f"<{len(numbers)}{_CODES[kind]}", *numbers)
    template, runs = _template(len(numbers), kind)
    array = bytearray(template)
    for first, stop, begin, end, step in runs:
        for byte in range(width):
            array[begin + byte : end : step] = packed[first * width + byte : stop * width : width]
    return bytes(array)
