"""Bytes of a pipe -> lines of bounded length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

HEAD: Final = 4096
"""Bytes of a line that is too long which are kept, to say what it was."""


class TooLong(Exception):
    """A line is longer than its limit; `head` is how it begins, `number` counts from 1."""

    def __init__(self, head: bytes, number: int) -> None:
        super().__init__()
        self.head, self.number = head, number


class Splitter:
    """Lines of at most `limit` bytes. A longer one raises TooLong, or with `cut` is given shortened."""

    def __init__(self, limit: int, *, cut: bool = False) -> None:
        self._limit, self._cut = limit, cut
        self._rest = bytearray()
        self.number = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes, without their ends."""
        *ends, tail = data.split(b"\n")
        for end in ends:
            self._take(end)
            self.number += 1
            yield bytes(self._rest)
            self._rest.clear()
        self._take(tail)

    def last(self) -> Iterator[bytes]:
        """What stands behind the last end of line."""
        if self._rest:
            self.number += 1
            yield bytes(self._rest)
            self._rest.clear()

    def _take(self, piece: bytes) -> None:
        room = self._limit - len(self._rest)
        if len(piece) > room and not self._cut:
            raise TooLong(bytes(self._rest[:HEAD] or piece[:HEAD]), self.number + 1)
        self._rest += piece[:room]
