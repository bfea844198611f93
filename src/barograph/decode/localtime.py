"""Station-local wall-clock times -> UTC instants, with both nights on which the clock is changed.

In autumn an hour happens twice (in Paris 02:00-02:59): the order of the rows tells which is which. In spring an hour
does not happen at all: such a row has no instant. When a gap hides the fold, the rows are kept under an assumption
that is reported, never guessed in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

import polars as pl

from barograph.frame import INSTANT

WIDE: Final = 2.5
"""A gap is a step of more than this many usual steps."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """Rows [first, last] of the series, and what was assumed of them."""

    first: int
    last: int
    text: str


@dataclass(slots=True)
class Converted:
    """`utc` is null where the wall clock has no instant: `missing` (spring) or `unclear` (autumn, disordered)."""

    utc: pl.Series
    missing: list[int] = field(default_factory=list)
    unclear: list[int] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)


def to_utc(local: pl.Series, timezone: str) -> Converted:
    """Convert naive wall-clock times, in the order of the source's rows, to UTC (milliseconds)."""
    plain = local.dt.cast_time_unit("ms")
    sure = plain.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    doubtful = (sure.is_null() & plain.is_not_null()).arg_true().to_list()
    if not doubtful:
        return Converted(sure.dt.convert_time_zone("UTC").cast(INSTANT))
    earliest = plain.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    missing = [row for row in doubtful if earliest[row] is None]
    result = Converted(sure, missing)
    times = plain.to_list()
    later: set[int] = set()
    folded = [row for row in doubtful if earliest[row] is not None]
    for night in _nights(folded, times):
        later |= _second_pass(night, times, result)
    choice = pl.Series(["latest" if row in later else "earliest" for row in range(len(times))])
    frame = pl.DataFrame({"local": plain, "fold": choice})
    utc = frame.select(
        pl.col("local").dt.replace_time_zone(timezone, ambiguous=pl.col("fold"), non_existent="null")
    ).to_series()
    if result.unclear:
        utc = utc.scatter(result.unclear, None)
    result.utc = utc.dt.convert_time_zone("UTC").cast(INSTANT)
    return result


def _nights(rows: list[int], times: list[datetime]) -> list[list[int]]:
    """Group ambiguous rows by their local date, in order."""
    groups: dict[object, list[int]] = {}
    for row in rows:
        groups.setdefault(times[row].date(), []).append(row)
    return list(groups.values())


def _second_pass(night: list[int], times: list[datetime | None], result: Converted) -> set[int]:
    """Which of the ambiguous rows of one night belong to the second pass of the hour."""
    clock = [times[row] for row in night]
    back = [place for place, (before, after) in enumerate(pairwise(clock), 1) if after < before]  # type: ignore[operator]
    if len(back) == 1:
        return set(night[back[0] :])
    if len(back) > 1:
        result.unclear += night
        return set()
    twins = [place for place, (before, after) in enumerate(pairwise(clock), 1) if after == before]
    if twins and len(twins) * 2 >= len(night) - 1:
        # Sorted by wall clock: the two passes stand side by side.
        result.assumptions.append(
            Assumption(night[0], night[-1], "equal times in the repeated hour were taken as its first and second pass")
        )
        return {night[place] for place in twins}
    return _single_pass(night, times, result)


def _single_pass(night: list[int], times: list[datetime | None], result: Converted) -> set[int]:
    """Only one pass is there: the neighbours tell which one the other rows continue."""
    first, last = night[0], night[-1]
    before = next((times[row] for row in range(first - 1, -1, -1) if times[row] is not None), None)
    after = next((times[row] for row in range(last + 1, len(times)) if times[row] is not None), None)
    step = _usual_step(times)
    continues = before is not None and times[first] - before <= WIDE * step  # type: ignore[operator]
    leads_on = after is not None and after - times[last] <= WIDE * step  # type: ignore[operator]
    if leads_on and not continues:
        result.assumptions.append(
            Assumption(
                first, last, "a gap hides the clock change; the rows were taken as the second pass of the repeated hour"
            )
        )
        return set(night)
    if after is not None or not continues:
        result.assumptions.append(
            Assumption(
                first, last, "a gap hides the clock change; the rows were taken as the first pass of the repeated hour"
            )
        )
    return set()


def _usual_step(times: list[datetime | None]) -> timedelta:
    known = [time for time in times if time is not None]
    steps = [(after - before).total_seconds() for before, after in pairwise(known) if after > before]
    return timedelta(seconds=median(steps)) if steps else timedelta(minutes=5)
