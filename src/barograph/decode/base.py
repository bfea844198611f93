"""What a decoder is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from barograph.frame import REPORT_SCHEMA
from barograph.mapping import TableMapping
from barograph.model import LandedObject, Note, Rejection, Station


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """What the configuration knows and an object does not say."""

    decoder: str
    station: Station | None = None
    stations: Mapping[str, Station] = field(default_factory=dict)
    first_day: date | None = None
    mapping: TableMapping | None = None
    record_mib: int = 64
    unpacked_mib: int = 512


@dataclass(slots=True)
class Decoded:
    """One piece of a decoded object.

    `frame` is a report frame (see `barograph.frame`) in the order of the object's rows; it may hold the same
    (station_id, utc_time) twice, which is for the merge to judge. `blank` counts rows without any value.
    """

    frame: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REPORT_SCHEMA))
    rejections: list[Rejection] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    stations: list[tuple[Station, datetime]] = field(default_factory=list)
    blank: int = 0


Opener = Callable[[], Iterator[bytes]]
"""Opens the object's content from its start, in chunks."""

Decoder = Callable[[LandedObject, Opener, DecodeContext], Iterator[Decoded]]
