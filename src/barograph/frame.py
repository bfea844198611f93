"""The shapes of report data, as polars schemas.

Two frames carry reports through the house:

- the **report frame** leaves a decoder: `station_id`, `utc_time`, the variables that its source observes, optional
  `<variable>_flag` columns, and where each row comes from (`extracted_at`, `origin`, `line`);
- the **day frame** lives in a store: one station, one UTC day, unique ascending `utc_time`; `source` indexes the
  day's list of origins. Variables that are null all day have no column.

A report's provenance stands in its row. Where one variable's value comes from another extraction than the rest of
its report (a later one had a null there), `<variable>_extracted_at`, `<variable>_source`, `<variable>_line` say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from barograph.variables import BY_NAME, NAMES

INSTANT: Final = pl.Datetime("ms", "UTC")
KINDS: Final[dict[str, pl.DataType]] = {"float": pl.Float64(), "int": pl.Int16(), "text": pl.String()}

VARIABLE_SCHEMA: Final[dict[str, pl.DataType]] = {name: KINDS[v.kind] for name, v in BY_NAME.items()}

PROVENANCE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "extracted_at": INSTANT,
    "origin": pl.String(),
    "line": pl.Int32(),
}

REPORT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "station_id": pl.String(),
    "utc_time": INSTANT,
    **VARIABLE_SCHEMA,
    **PROVENANCE_SCHEMA,
}

FLAG: Final = pl.UInt8()
SOURCE: Final = pl.UInt16()
FLAG_SUFFIX: Final = "_flag"
OVERRIDE_SUFFIXES: Final[dict[str, pl.DataType]] = {
    "_extracted_at": INSTANT,
    "_source": SOURCE,
    "_line": pl.Int32(),
}


def variables_in(columns: Iterable[str]) -> list[str]:
    """The variables among `columns`, in the table's order."""
    present = set(columns)
    return [name for name in NAMES if name in present]


def flags_in(columns: Iterable[str]) -> list[str]:
    """The flag columns among `columns`, in the table's order."""
    present = set(columns)
    return [name + FLAG_SUFFIX for name in NAMES if name + FLAG_SUFFIX in present]


def dtype_of(column: str) -> pl.DataType:
    """The type a column of a report or day frame has by its name."""
    if column == "source":
        return SOURCE
    if column in REPORT_SCHEMA:
        return REPORT_SCHEMA[column]
    if column.endswith(FLAG_SUFFIX):
        return FLAG
    for suffix, dtype in OVERRIDE_SUFFIXES.items():
        if column.endswith(suffix):
            return dtype
    raise KeyError(column)
