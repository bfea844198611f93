"""Thrift's compact protocol, as far as Parquet's metadata use it: bytes -> plain values, field numbers as keys."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

MAX_DEPTH: Final = 16


class ThriftError(ValueError):
    """The bytes are no Thrift structure."""


class Reader:
    """Reads structures one behind the other; `at` is the next byte. Every method raises ThriftError."""

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self._data = data
        self.at = at
        self._readers: dict[int, Callable[[int], Any]] = {
            **dict.fromkeys((1, 2), lambda _: self._byte() == 1),
            3: lambda _: self._byte(),
            **dict.fromkeys((4, 5, 6), lambda _: _unzigzag(self._varint())),
            7: lambda _: struct.unpack("<d", self._take(8))[0],
            8: lambda _: bytes(self._take(self._varint())),
            **dict.fromkeys((9, 10), lambda depth: self._list(depth + 1)),
            12: lambda depth: self.structure(depth + 1),
        }

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """The structure that begins here. Maps do not occur in Parquet's metadata and are refused."""
        if depth > MAX_DEPTH:
            raise ThriftError("it nests too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else _unzigzag(self._varint())
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind not in self._readers:
            raise ThriftError(f"type {kind} is not known")
        return self._readers[kind](depth)

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size, kind = head >> 4, head & 15
        if depth > MAX_DEPTH:
            raise ThriftError("it nests too deep")
        if size == 15:
            size = self._varint()
        # Every item takes a byte at least.
        if size > len(self._data) - self.at:
            raise ThriftError("a list is cut short")
        return [self._value(kind, depth) for _ in range(size)]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise ThriftError("a number is too long")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ThriftError("it is cut short")
        self.at += 1
        return self._data[self.at - 1]

    def _take(self, size: int) -> bytes | memoryview:
        if size > len(self._data) - self.at:
            raise ThriftError("it is cut short")
        self.at += size
        return self._data[self.at - size : self.at]


def _unzigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
