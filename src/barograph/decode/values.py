"""Text cells -> numbers in canonical units, whole columns at a time; what cannot be read is named, never dropped."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from barograph.frame import KINDS
from barograph.units import Unit, unit_of
from barograph.variables import BY_NAME, COMPASS, Variable

NO_BREAK_SPACE: Final = "\u00a0"
MISSING: Final = frozenset({"", "-", "--", "---", "n/a", "na", "null", "none", "nan"})
"""What the servers write for "not observed" (lower case, blanks and units removed)."""

_NUMBER: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\D*)")
_INT16: Final = (-32768, 32767)
_POINTS: Final = {point.lower(): index for index, point in enumerate(COMPASS)} | {
    "north": 0, "east": 4, "south": 8, "west": 12,
    "northeast": 2, "southeast": 6, "southwest": 10, "northwest": 14,
}  # fmt: skip
_NO_DIRECTION: Final = frozenset({"calm", "variable", "vrb", "var"})


@dataclass(frozen=True, slots=True)
class Column:
    """Where a variable stands in a raw frame, and the unit that its numbers carry when they do not say."""

    raw: str
    variable: Variable
    unit: str
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that cannot be read; `row` is its index in the frame."""

    row: int
    column: str
    value: str
    reason: str


def parse_columns(frame: pl.DataFrame, columns: Sequence[Column]) -> tuple[pl.DataFrame, list[BadCell]]:
    """The columns as canonical numbers, named and typed as variables, and the cells that are none.

    Every cell is first tried as `<number><suffix>`; only distinct values that are not are looked at one by one.
    """
    present = [column for column in columns if column.raw in frame.columns]
    fast = frame.select(
        pl.col(column.raw).str.strip_suffix(column.suffix).cast(pl.Float64, strict=False).alias(column.raw)
        for column in present
    )
    parsed: list[pl.Series] = []
    bad: list[BadCell] = []
    for column in present:
        raw, numbers = frame.get_column(column.raw), fast.get_column(column.raw)
        unit = unit_of(column.variable.dimension or "", column.unit) or Unit()
        values = pl.select(unit.to_canonical(pl.lit(numbers)).alias(column.raw)).to_series()
        # A cell that is text but became no finite number; two counts tell that there is none.
        if numbers.null_count() > raw.null_count() or not numbers.is_finite().all():
            odd = raw.is_not_null() & ~numbers.is_finite().fill_null(value=False)
            values, cells = _one_by_one(raw, values, odd, column)
            bad += cells
        values, cells = _typed(raw, values, column)
        bad += cells
        parsed.append(values.alias(column.variable.name))
    return pl.DataFrame(parsed) if parsed else pl.DataFrame(), bad


def _one_by_one(raw: pl.Series, values: pl.Series, odd: pl.Series, column: Column) -> tuple[pl.Series, list[BadCell]]:
    read: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for text in raw.filter(odd).unique().to_list():
        value, reason = _read(text, column)
        read[text] = value
        if reason:
            reasons[text] = reason
    slow = raw.replace_strict(read, default=None, return_dtype=pl.Float64)
    values = pl.select(pl.when(pl.lit(odd)).then(pl.lit(slow)).otherwise(pl.lit(values))).to_series()
    return values, _bad_cells(raw, reasons, column.raw)


def _bad_cells(raw: pl.Series, reasons: Mapping[str, str], name: str) -> list[BadCell]:
    if not reasons:
        return []
    places = raw.is_in(list(reasons)).arg_true().to_list()
    return [BadCell(row, name, raw[row], reasons[raw[row]]) for row in places]


def _read(text: str, column: Column) -> tuple[float | None, str]:
    """One cell: its value, or why it is not one ("" where it is simply missing)."""
    plain = text.replace(NO_BREAK_SPACE, " ").strip()
    match = _NUMBER.fullmatch(plain)
    if match is None:
        # "-- °F" is Weather Underground's way to say that the sensor was silent.
        word = plain.lower().removesuffix(column.unit.lower()).strip()
        return (None, "") if word in MISSING else (None, f"not a number in {column.unit or 'plain digits'}")
    unit = Unit() if not match[2] else unit_of(column.variable.dimension or "", match[2])
    if not match[2]:
        unit = unit_of(column.variable.dimension or "", column.unit) or Unit()
    if unit is None:
        return None, f"the unit {match[2].strip()!r} is not one of {column.variable.label.lower()}"
    value = unit.to_canonical(float(match[1]))
    return (value, "") if math.isfinite(value) else (None, "not a finite number")


def _typed(raw: pl.Series, values: pl.Series, column: Column) -> tuple[pl.Series, list[BadCell]]:
    """Rounded and cast; a number that the type cannot hold is no observation."""
    variable = column.variable
    rounded = values.round(variable.decimals)
    if variable.kind != "int":
        # A negative zero, as -0.001 rounds to, would print as "-0.0".
        zero = rounded == 0.0
        return (pl.select(pl.when(zero).then(0.0).otherwise(rounded)).to_series() if zero.any() else rounded), []
    outside = rounded.is_not_null() & ~rounded.is_between(*_INT16)
    cells = [
        BadCell(row, column.raw, raw[row], f"no such {variable.label.lower()}") for row in outside.arg_true().to_list()
    ]
    return rounded.cast(KINDS["int"], strict=False), cells


def compass_words(raw: pl.Series) -> tuple[pl.Series, pl.Series, list[BadCell]]:
    """Words ("WSW", "North") -> (`wind_direction`, `wind_direction_deg`), each the centre of its sector."""
    distinct = raw.drop_nulls().unique().to_list()
    words = {text: text.replace(NO_BREAK_SPACE, " ").strip().lower() for text in distinct}
    known = {text: _POINTS[word] for text, word in words.items() if word in _POINTS}
    empty = MISSING | _NO_DIRECTION
    reasons = {
        text: "not one of the 16 points of the compass"
        for text, word in words.items()
        if word not in _POINTS and word not in empty
    }
    degrees = raw.replace_strict({text: i * 22.5 for text, i in known.items()}, default=None, return_dtype=pl.Float64)
    points = raw.replace_strict({text: COMPASS[i] for text, i in known.items()}, default=None, return_dtype=pl.String)
    name = raw.name
    return points.alias("wind_direction"), degrees.alias("wind_direction_deg"), _bad_cells(raw, reasons, name)


def compass_points(degrees: str) -> pl.Expr:
    """The 16-point name of a direction in degrees: sector i spans i * 22.5 ± 11.25; null outside of 0..360."""
    sector = ((pl.col(degrees) + 11.25) / 22.5).floor().cast(pl.Int32, strict=False) % 16
    inside = pl.col(degrees).is_between(0, 360)
    names = dict(enumerate(COMPASS))
    return (
        pl.when(inside).then(sector).replace_strict(names, default=None, return_dtype=pl.String).alias("wind_direction")
    )


def column_for(name: str, raw: str, unit: str, suffix: str = "") -> Column:
    """A Column for a variable of the table."""
    return Column(raw, BY_NAME[name], unit, suffix)
