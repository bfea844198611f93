"""How the columns of a table map to variables: what any source of tables has to say for its rows to become reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TIME_FORMATS: Final = ("iso", "epoch_s", "epoch_ms")
"""Names for what strftime's directives do not say; any other `time_format` is a strftime pattern."""


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A variable's column (or the dotted path of a JSON value, "metric.temp"), and the unit that it is written in."""

    column: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """Where a table says what.

    `columns`: variable name -> its column. `time` are the columns of the instant, joined by a blank where there are
    several. `timezone`: IANA name of the clock of the times ("UTC"), or "station" for the station's own; an offset in
    the text itself goes over it. `station`: the column that names the station, None where the connection does;
    `station_prefix` goes before what it says. `missing`: the texts that mean "no value", beside empty and null.
    """

    columns: Mapping[str, MappedColumn] = field(hash=False)
    time: tuple[str, ...]
    time_format: str = "iso"
    timezone: str = "UTC"
    station: str | None = None
    station_prefix: str = ""
    missing: tuple[str, ...] = ()
