"""Cutting a stream of bytes at line ends, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from barograph.errors import LimitExceeded

BLOCK_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines; `line` is the 1-based number of the first. Only the last block may lack its final newline."""

    line: int
    data: bytes


def line_blocks(
    chunks: Iterable[bytes], *, where: str, limit_bytes: int, quoted: bool = False, size: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Blocks of about `size` bytes that end at a line end; with `quoted`, at one outside of CSV's double quotes.

    Raises LimitExceeded for a line longer than `limit_bytes`; a quoted record that long is cut at a line end.
    """
    line, held = 1, bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) < size:
            continue
        cut = _cut(held, quoted=quoted)
        if not cut and len(held) > limit_bytes:
            # A quote that never closes must not cost the rest of the object: its reader goes on at the next line.
            cut = _cut(held, quoted=False)
        if cut:
            block = bytes(held[:cut])
            del held[:cut]
            yield Block(line, block)
            line += block.count(b"\n")
        elif len(held) > limit_bytes:
            raise LimitExceeded(
                f"line {line} is longer than {limit_bytes // 1024**2} MiB",
                where=where,
                hint="raise [limits] record_mib if it is genuine",
            )
    if held:
        yield Block(line, bytes(held))


def _cut(held: bytearray, *, quoted: bool) -> int:
    """Where to cut: after the last newline (outside of quotes, if asked); 0 where there is none."""
    end = held.rfind(b"\n") + 1
    if not quoted:
        return end
    quotes = held.count(b'"', 0, end)
    while end and quotes % 2:
        previous = held.rfind(b"\n", 0, end - 1) + 1
        quotes -= held.count(b'"', previous, end)
        end = previous
    return end


class Line:
    """One line of a stream as an iterator of its pieces, without the newline. Drain it before the next one."""

    def __init__(self, number: int, feed: _Feed) -> None:
        self.number = number
        self._feed = feed
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        while self._open:
            piece = self._feed.next_piece()
            if piece is None:
                self._open = False
                return
            cut = piece.find(b"\n")
            if cut >= 0:
                self._feed.push(piece[cut + 1 :])
                self._open = False
                piece = piece[:cut]
            if piece:
                yield piece

    def drain(self) -> None:
        """Skip what is left of the line."""
        for _ in self:
            pass


class _Feed:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._pushed = b""

    def next_piece(self) -> bytes | None:
        if self._pushed:
            piece, self._pushed = self._pushed, b""
            return piece
        return next((chunk for chunk in self._chunks if chunk), None)

    def push(self, piece: bytes) -> None:
        self._pushed = piece


def long_lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a stream, each however long, never held whole."""
    feed, number = _Feed(chunks), 0
    while (piece := feed.next_piece()) is not None:
        feed.push(piece)
        number += 1
        line = Line(number, feed)
        yield line
        line.drain()
