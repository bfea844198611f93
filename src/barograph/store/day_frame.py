"""The canonical form of a day frame, between the merge and either engine.

Columns stand in this order: `utc_time`, variables, flags, `extracted_at`, `source`, `line`, then per variable its
override triple. What is null all day is not stored; on loading, `line` and incomplete triples are completed with nulls,
so that every loaded day has `extracted_at`, `source`, `line` and whole triples.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from operator import lt
from typing import Final

import polars as pl

from barograph.errors import StoreError
from barograph.frame import FLAG_SUFFIX, OVERRIDE_SUFFIXES, dtype_of
from barograph.store.base import StationDay
from barograph.store.span import EPOCH_ORDINAL, MS_PER_DAY, nulls
from barograph.variables import NAMES

REPORT_COLUMNS: Final = ("utc_time", *NAMES, *(name + FLAG_SUFFIX for name in NAMES))
BASE_PROVENANCE: Final = ("extracted_at", "source", "line")
OVERRIDES: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(name + suffix for suffix in OVERRIDE_SUFFIXES) for name in NAMES
}
PROVENANCE_COLUMNS: Final = (*BASE_PROVENANCE, *(column for triple in OVERRIDES.values() for column in triple))

ORDER: Final[dict[str, int]] = {name: place for place, name in enumerate((*REPORT_COLUMNS, *PROVENANCE_COLUMNS))}
DTYPES: Final[dict[str, pl.DataType]] = {name: dtype_of(name) for name in ORDER}
FIRST_PROVENANCE: Final = len(REPORT_COLUMNS)


@dataclass(frozen=True, slots=True)
class DayParts:
    """A checked day, ready to be encoded: the columns that are not null all day, in canonical order.

    `first` and `last` are the instants of its first and last report, in milliseconds.
    """

    reports: list[pl.Series]
    provenance: list[pl.Series]
    count: int
    first: int
    last: int


def parts_of(day: StationDay) -> DayParts:
    """Check a day that is to be saved and split it; StoreError names the day and what is wrong with it."""
    height = day.frame.height
    if height == 0:
        raise _refused(day, "it has no reports")
    columns = {column.name: column for column in day.frame.get_columns()}
    _check_types(day, columns)
    first, last = _check_instants(day, columns["utc_time"].cast(pl.Int64))
    known = [column for column in columns.values() if column.null_count() < height]
    known.sort(key=lambda column: ORDER[column.name])
    split = sum(ORDER[column.name] < FIRST_PROVENANCE for column in known)
    return DayParts(known[:split], known[split:], height, first, last)


def _check_types(day: StationDay, columns: dict[str, pl.Series]) -> None:
    for column in columns.values():
        expected = DTYPES.get(column.name)
        if expected is None:
            raise _refused(day, f"unknown column {column.name!r}")
        if column.dtype != expected:
            raise _refused(day, f"column {column.name!r} is {column.dtype}, not {expected}")
    for name in ("utc_time", "extracted_at", "source"):
        if name not in columns or columns[name].null_count():
            raise _refused(day, f"column {name!r} is missing or has nulls")
    for name in columns.keys() & _SOURCE_COLUMNS:
        highest = columns[name].max()
        if isinstance(highest, int) and highest >= len(day.sources):
            raise _refused(day, f"column {name!r} points behind the {len(day.sources)} sources")


def _check_instants(day: StationDay, instants: pl.Series) -> tuple[int, int]:
    """The first and the last of a day's instants (ms)."""
    # Over a list it takes 15 µs, n_unique or diff take ten times that before they start.
    values: list[int] = instants.to_list()
    first, last = values[0], values[-1]
    if not all(map(lt, values, islice(values, 1, None))):
        raise _refused(day, "utc_time is not unique and ascending")
    midnight = (day.key.day.toordinal() - EPOCH_ORDINAL) * MS_PER_DAY
    if not midnight <= first <= last < midnight + MS_PER_DAY:
        raise _refused(day, "utc_time leaves the UTC day")
    return first, last


def whole_frame(columns: list[pl.Series]) -> pl.DataFrame:
    """A day frame from its stored columns: in canonical order, `line` and override triples complete.

    KeyError for a column that no day frame has.
    """
    by_name = {column.name: column for column in columns}
    wanted = {*by_name, *BASE_PROVENANCE}
    for triple in OVERRIDES.values():
        if not by_name.keys().isdisjoint(triple):
            wanted.update(triple)
    height = len(columns[0])
    return pl.DataFrame(
        [by_name[name] if name in by_name else nulls(name, height) for name in sorted(wanted, key=ORDER.__getitem__)]
    )


def column_of(frame: pl.DataFrame, name: str) -> pl.Series:
    """A column of a day frame, or nulls where the frame lacks it."""
    return frame.get_column(name) if name in frame.columns else nulls(name, frame.height)


_SOURCE_COLUMNS: Final = {"source", *(name + "_source" for name in NAMES)}


def _refused(day: StationDay, what: str) -> StoreError:
    return StoreError(f"the day cannot be stored: {what}", where=str(day.key), hint="a fault in barograph; report it")
