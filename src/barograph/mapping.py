"""How the columns of a table map to variables: what any source of tables has to say for its rows to become reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TIME_FORMATS: Final = ("iso", "epoch_s", "epoch_ms")
"""Names for what strftime's directives do not say; any other `time_format` is a strftime pattern."""

DIRECTIVES: Final = frozenset("YymdeHIMSpbBjzfFTRaA%")
"""The strftime directives that a `time_format` may have."""

STATION_COLUMNS: Final = ("name", "city", "latitude", "longitude", "elevation", "type")
"""What a table may say of its stations."""

_DIRECTIVE: Final = re.compile(r"%(.)")


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A variable's column (or the dotted path of a JSON value, "metric.temp"), and the unit that it is written in.

    "" is the variable's canonical unit.
    """

    column: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """Where a table says what.

    `columns`: variable name -> its column. `time` are the columns of the instant, joined by a blank where there are
    several. `timezone`: IANA name of the clock of the times ("UTC"), or "station" for the station's own; an offset in
    the text itself goes over it. `station`: the column that names the station, None where the connection does;
    `station_prefix` goes before what it says. `missing`: the texts that mean "no value", beside empty and null; one
    that is a number means every spelling of it. `decimal`: "." or ",". `station_columns`: what a row says of its
    station (of STATION_COLUMNS) -> its column; a table that has some brings its own stations. `license_info`: licence,
    source and address of the data, carried to every station.
    """

    columns: Mapping[str, MappedColumn] = field(hash=False)
    time: tuple[str, ...]
    time_format: str = "iso"
    timezone: str = "UTC"
    station: str | None = None
    station_prefix: str = ""
    missing: tuple[str, ...] = ()
    decimal: str = "."
    station_columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    license_info: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that the mapping names, each once: those of the time, the variables, the station."""
        cells = [column.column for column in self.columns.values()]
        station = [] if self.station is None else [self.station]
        return tuple(dict.fromkeys([*self.time, *cells, *station, *self.station_columns.values()]))


def time_format_problem(time_format: str) -> str | None:
    """Why a `time_format` cannot be read with, None where it can."""
    if time_format in TIME_FORMATS:
        return None
    found = _DIRECTIVE.findall(time_format)
    if not found:
        return f"is neither one of {', '.join(TIME_FORMATS)} nor a pattern with % directives"
    if unknown := [f"%{letter}" for letter in found if letter not in DIRECTIVES]:
        return f"has the unknown directive {unknown[0]}"
    day = {"F"} & {*found} or (
        {"Y", "y"} & {*found} and ("j" in found or ({"m", "b", "B"} & {*found} and {"d", "e"} & {*found}))
    )
    return None if day else "names no day: it wants a year (%Y), a month (%m) and a day (%d)"
