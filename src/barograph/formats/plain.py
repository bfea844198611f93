"""Typed values of Parquet and Avro -> what stands in JSON or CSV in their place.

Both carry times, dates and unions that JSON has not. Airbyte writes a union as Avro's own in Avro; in Parquet as a
structure of which one member is filled: {member0, member1, …} before 1.0, then {type, integer, string, …}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

import orjson
import polars as pl

TYPES: Final = frozenset({
    "array", "boolean", "date", "integer", "number", "object", "string", "time_with_timezone", "time_without_timezone",
    "timestamp_with_timezone", "timestamp_without_timezone", "unknown",
})  # fmt: skip
"""Airbyte's names of types, which name the members of a union."""

_MEMBER: Final = re.compile(r"member\d+")
_LED: Final = re.compile(r"_\d")
_EXACT: Final = float(2**53)


def is_union(names: Iterable[str]) -> bool:
    """Whether these are the members of a union as an Airbyte before 1.0 wrote it in Parquet."""
    members = list(names)
    return bool(members) and all(_MEMBER.fullmatch(name) for name in members)


def _is_typed_union(value: Mapping[str, Any]) -> bool:
    """Whether a structure is a union as an Airbyte from 1.0 on writes it: `type` says which member is filled."""
    return len(value) > 1 and value.get("type") in TYPES and TYPES.issuperset(key for key in value if key != "type")


def plain(value: Any, names: Mapping[str, str] | None = None) -> Any:
    """A value as JSON would have it: texts for times, unions resolved, the names of nested fields restored.

    `names` are original names where the file tells them. An underscore before a digit is one that Airbyte had to put
    there: a name in Avro begins with a letter.
    """
    if isinstance(value, dict):
        if is_union(value) or _is_typed_union(value):
            return plain(next((item for key, item in value.items() if key != "type" and item is not None), None), names)
        return {_original(key, names): plain(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, names) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return _text(value)


def _original(name: str, names: Mapping[str, str] | None) -> str:
    if names and name in names:
        return names[name]
    return name[1:] if _LED.match(name) else name


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(" ")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    # Decimal, UUID, timedelta.
    return str(value)


def cell(value: Any, names: Mapping[str, str] | None = None) -> str | None:
    """A value as the text of a cell; JSON text where it is an object or an array, None where it is null."""
    value = plain(value, names)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)


def text_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of any types with every cell as `cell` writes it."""
    return frame.select(text_column(column) for column in frame.get_columns())


def text_column(column: pl.Series) -> pl.Series:
    """A column of any type as text."""
    kind, name = column.dtype, pl.col(column.name)
    if kind == pl.String:
        return column
    if kind.is_float():
        whole = (name == name.floor()) & (name.abs() < _EXACT)
        exact = name.cast(pl.Int64, strict=False).cast(pl.String)
        expression = pl.when(whole).then(exact).otherwise(name.cast(pl.String))
    elif isinstance(kind, pl.Time | pl.Date | pl.Datetime):
        expression = _moment(name, kind)
    elif isinstance(kind, pl.Struct) and is_union(field.name for field in kind.fields):
        members = [text_column(member) for member in column.struct.unnest().get_columns()]
        expression = pl.coalesce(pl.lit(member) for member in members)
    elif kind.is_integer() or isinstance(kind, pl.Boolean | pl.Decimal | pl.Categorical | pl.Enum | pl.Null):
        expression = name.cast(pl.String)
    else:
        return pl.Series(column.name, [cell(value) for value in column.to_list()], dtype=pl.String)
    return column.to_frame().select(expression.alias(column.name)).to_series()


_DAY: Final = 86_400
_PER_SECOND: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_YEARS: Final = (-719_162, 2_932_896)
"""0001-01-01 and 9999-12-31, in days since 1970."""


def _moment(name: pl.Expr, kind: pl.Time | pl.Date | pl.Datetime) -> pl.Expr:
    """Dates and times as text; one that no calendar has, which polars would panic at, as the number that it is."""
    first, last = _YEARS
    form = "%Y-%m-%d"
    if isinstance(kind, pl.Time):
        first, last, form = 0, _DAY * 10**9 - 1, "%H:%M:%S%.f"
    elif isinstance(kind, pl.Datetime):
        unit = _DAY * _PER_SECOND[kind.time_unit]
        first, last = first * unit, (last + 1) * unit - 1
        form = "%Y-%m-%d %H:%M:%S%.f" if kind.time_zone is None else "%Y-%m-%dT%H:%M:%S%.fZ"
    number = name.to_physical()
    good = number.is_between(max(first, -(2**63)), min(last, 2**63 - 1))
    moment: pl.Expr = pl.when(good).then(name)
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        moment = moment.dt.convert_time_zone("UTC")
    return pl.when(good).then(moment.dt.to_string(form)).otherwise(number.cast(pl.String))
