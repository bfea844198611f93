"""Instants as integer milliseconds, UTC days as dates, and the last step of every read: cutting a frame to its span."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import polars as pl

from barograph.errors import UsageError
from barograph.frame import INSTANT, PROVENANCE_SCHEMA, VARIABLE_SCHEMA, dtype_of, flags_in, variables_in
from barograph.variables import BY_NAME, NAMES

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL: Final = EPOCH.toordinal()
MILLISECOND: Final = timedelta(milliseconds=1)
MS_PER_DAY: Final = 86_400_000


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z of an aware instant; what is finer is cut off."""
    return (instant - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """The aware UTC instant `ms` milliseconds after 1970-01-01T00:00Z."""
    return EPOCH + ms * MILLISECOND


def day_of(ms: int) -> date:
    """The UTC date on which an instant falls."""
    return date.fromordinal(EPOCH_ORDINAL + ms // MS_PER_DAY)


@dataclass(frozen=True, slots=True)
class Span:
    """Instants with start <= t < end, in milliseconds."""

    start: int
    end: int

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Span:
        """The span between two aware instants, each rounded up to a whole millisecond; UsageError when one is naive."""
        if start.tzinfo is None or end.tzinfo is None:
            raise UsageError("start and end must carry a timezone", where="read", hint="add tzinfo=UTC")
        return cls(-((EPOCH - start) // MILLISECOND), -((EPOCH - end) // MILLISECOND))

    @property
    def empty(self) -> bool:
        """Whether it holds no instant."""
        return self.end <= self.start

    @property
    def first_day(self) -> date:
        """The UTC day of its start."""
        return day_of(self.start)

    @property
    def last_day(self) -> date:
        """The last UTC day of which the span holds an instant."""
        return day_of(self.end - 1)

    @property
    def length(self) -> int:
        """How many UTC days the span touches."""
        return (self.end - 1) // MS_PER_DAY - self.start // MS_PER_DAY + 1

    @property
    def days(self) -> Iterator[date]:
        """The UTC days it touches, ascending."""
        first = self.first_day.toordinal()
        return map(date.fromordinal, range(first, first + self.length))

    @property
    def whole_days(self) -> bool:
        """Whether it begins and ends at midnight UTC."""
        return self.start % MS_PER_DAY == 0 and self.end % MS_PER_DAY == 0


def check_variables(variables: Sequence[str] | None) -> None:
    """UsageError when one of `variables` is not in the table."""
    unknown = [name for name in variables or () if name not in BY_NAME]
    if unknown:
        raise UsageError(
            f"no such variable: {', '.join(unknown)}", where="read", hint=f"the variables are {', '.join(NAMES)}"
        )


def nothing(variables: Sequence[str] | None, *, provenance: bool) -> pl.DataFrame:
    """What `Store.read` gives for a span without reports."""
    schema: dict[str, pl.DataType] = {"utc_time": INSTANT}
    schema |= {name: VARIABLE_SCHEMA[name] for name in variables_in(variables or ())}
    return pl.DataFrame(schema=schema | (PROVENANCE_SCHEMA if provenance else {}))


def cut(frame: pl.DataFrame, span: Span, variables: Sequence[str] | None, *, provenance: bool) -> pl.DataFrame:
    """The rows of `frame` inside `span`, with the columns that `Store.read` promises, in their order.

    `frame` holds whole days, ascending, and columns that are not null throughout; with `provenance` it holds
    `extracted_at`, `origin` and `line` as well.
    """
    whole = span.whole_days
    if not whole:
        # bisect and cast cost 10 µs; search_sorted and to_physical, which go through a query plan, 60 and 30.
        instants = frame.get_column("utc_time").cast(pl.Int64)
        low, high = bisect_left(instants, span.start), bisect_left(instants, span.end)
        if low == high:
            return nothing(variables, provenance=provenance)
        frame = frame.slice(low, high - low)
    present = frame.columns
    names = variables_in(present if variables is None else variables)
    flags = flags_in(present if variables is None else (f"{name}_flag" for name in names if f"{name}_flag" in present))
    wanted = ["utc_time", *names, *flags, *(PROVENANCE_SCHEMA if provenance else ())]
    if whole and wanted == present:
        return frame
    height = frame.height
    columns = {column.name: column for column in frame.get_columns()}
    if not whole:
        optional = flags if variables is not None else [*names, *flags]
        gone = {name for name in optional if columns[name].null_count() == height}
        wanted = [name for name in wanted if name not in gone]
    return pl.DataFrame([columns[name] if name in columns else nulls(name, height) for name in wanted])


def nulls(name: str, height: int) -> pl.Series:
    """The column `name` of a report or day frame, all null."""
    return pl.Series(name, [None], dtype=dtype_of(name)).new_from_index(0, height)
