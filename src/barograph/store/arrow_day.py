"""Station-days as Arrow IPC streams, the blobs of the SQLite engine.

A stream is a schema message, record batches and an end mark (Arrow columnar format, "IPC Streaming Format"). Streams
with byte-identical schema messages can be joined by leaving out all but the first schema and the last end mark, so a
span is decoded by one call instead of one per day.

Measured with polars 2.1 on 365 real days of 288 reports and 12 variables, the best of several runs on two cores:

    reports blob    bytes/day   write µs   read a day µs   read a year ms
    uncompressed       30,641         58              26              7.4
    lz4                 9,692         63              48             16.6
    zstd                6,597        117              53             19.1
    provenance blob
    uncompressed        4,536         11               9              0.9
    zstd                1,398         21              11              1.8

So reports stay uncompressed, because a read is what forecasters wait for, and provenance, which an ordinary read never
touches, takes zstd. In one blob with the reports, projected away, provenance still costs a day 8 µs. `wind_direction`
is written as large_utf8 (`CompatLevel.oldest`): as string views a joined year takes 19 ms instead of 7.4, and an index
into the 16 points would save 5 µs a day but cost that again to turn back into text.
"""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal

import polars as pl

from barograph.errors import StoreError

END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
CONTINUATION: Final = b"\xff\xff\xff\xff"

JOIN_BYTES: Final = 1 << 18
"""Streams are joined into pieces of about 256 KiB: a year takes 10 ms from the file. With one piece of 11 MiB it takes
24, because the allocator hands such pieces back to the system and has to fetch their pages anew at every read."""

FEW: Final = 8
"""Up to so many days a frame keeps its chunks: making a local day's two contiguous costs 45 µs and wins nothing."""

DAMAGE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, TypeError, ValueError)
"""What polars raises on bytes that are not a whole Arrow stream."""

DAY: Final = "\x00day"
"""Helper column that keeps days in order; no variable can have this name."""


def encode(columns: list[pl.Series], compression: Literal["uncompressed", "zstd"] = "uncompressed") -> bytes:
    """Columns of equal length as one Arrow IPC stream."""
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_ipc_stream(buffer, compression=compression, compat_level=pl.CompatLevel.oldest())
    return buffer.getvalue()


def decode(blob: bytes, count: int, *, where: str) -> pl.DataFrame:
    """One stream of `count` rows as a frame; StoreError naming `where` when it is damaged."""
    try:
        frame = pl.read_ipc_stream(blob)
    except DAMAGE as error:
        raise damaged(where) from error
    if frame.height != count:  # a stream that was cut off behind its schema is a sound stream without rows
        raise damaged(where)
    return frame


def decode_days(
    days: Iterable[tuple[bytes, int]], columns: Container[str] | None = None, *, where: str
) -> pl.DataFrame | None:
    """The rows of many days, each given as its blob and its count, in that order; None for no days.

    A column that a day does not have is null there. `columns` are those to decode (None: all). StoreError when a blob
    is damaged or does not have as many rows as its count says.
    """
    groups: dict[bytes, _Group] = {}
    total = place = 0
    try:
        for place, (blob, count) in enumerate(days):
            schema = _schema_message(blob, where)
            group = groups.get(schema)
            if group is None:
                group = groups[schema] = _Group(schema, columns)
            group.add(blob, place, count)
            total += count
        frame = _in_order(list(groups.values())) if groups else None
    except DAMAGE as error:
        raise damaged(where) from error
    if frame is None:
        return None
    if frame.height != total:
        raise damaged(where)
    return frame.rechunk() if place >= FEW else frame


class _Group:
    """Days whose streams begin with the same schema message; decoded a piece at a time while they arrive."""

    def __init__(self, schema: bytes, columns: Container[str] | None) -> None:
        self.places: list[int] = []
        self.counts: list[int] = []
        self._schema = schema
        self._columns = None if columns is None else [name for name in _column_names(schema) if name in columns]
        self._frames: list[pl.DataFrame] = []
        self._blobs: list[bytes] = []
        self._size = 0

    def add(self, blob: bytes, place: int, count: int) -> None:
        self._blobs.append(blob)
        self.places.append(place)
        self.counts.append(count)
        self._size += len(blob)
        if self._size >= JOIN_BYTES:
            self._decode()

    def frame(self) -> pl.DataFrame:
        if self._blobs:
            self._decode()
        return self._frames[0] if len(self._frames) == 1 else pl.concat(self._frames)

    def _decode(self) -> None:
        blob = self._blobs[0] if len(self._blobs) == 1 else self._join()
        self._frames.append(pl.read_ipc_stream(blob, columns=self._columns))
        self._blobs, self._size = [], 0

    def _join(self) -> bytes:
        start = len(self._schema)
        bodies = (memoryview(blob)[start : -len(END)] for blob in self._blobs)
        return b"".join([self._schema, *bodies, END])


def _in_order(groups: list[_Group]) -> pl.DataFrame:
    """One frame from the days of all groups, in the order in which they came."""
    if len(groups) == 1:
        return groups[0].frame()
    marked = [group.frame().with_columns(repeated(group.places, group.counts).alias(DAY)) for group in groups]
    return pl.concat(marked, how="diagonal").sort(DAY, maintain_order=True).drop(DAY)


def _schema_message(blob: bytes, where: str) -> bytes:
    """The first message: continuation mark, int32 length of the metadata, the metadata. The end mark must be there."""
    length = 8 + int.from_bytes(blob[4:8], "little")
    if not blob.startswith(CONTINUATION) or not blob.endswith(END) or length > len(blob):
        raise damaged(where)
    return blob[:length]


@lru_cache(maxsize=256)
def _column_names(schema: bytes) -> tuple[str, ...]:
    return tuple(pl.read_ipc_stream(schema + END).columns)


def repeated(values: Sequence[int], times: Sequence[int]) -> pl.Series:
    """Each value as often as `times` says, as one series of unsigned integers."""
    pairs = pl.DataFrame({"value": values, "times": times}, schema={"value": pl.UInt32, "times": pl.UInt32})
    return pairs.select(pl.col("value").repeat_by("times").explode()).to_series()


def damaged(where: str) -> StoreError:
    """The error for stored bytes that cannot be read back."""
    return StoreError(
        "a stored day is damaged", where=where, hint="restore a backup, or `barograph rebuild` it from the landing zone"
    )
