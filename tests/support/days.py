"""Station-days for tests: by hand, and any that a merge could hand to a store (hypothesis)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl
from hypothesis import strategies as st

from barograph.frame import FLAG_SUFFIX, INSTANT, OVERRIDE_SUFFIXES, dtype_of
from barograph.store.base import DayKey, StationDay
from barograph.variables import COMPASS, NAMES, VARIABLES

EXTRACTED: Final = datetime(2025, 10, 24, 10, 17, tzinfo=UTC)
DAY: Final = date(2024, 10, 1)
SOURCES: Final = ("meteo_sync/ichtegem/2025_10_24_1761300000000_0.csv",)


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """An instant of a UTC day."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def day_of(
    station_id: str = "IICHTE19",
    day: date = DAY,
    instants: Sequence[datetime] | None = None,
    *,
    revision: int = 0,
    sources: tuple[str, ...] = SOURCES,
    **columns: Sequence[Any],
) -> StationDay:
    """A day with the given columns; without `instants` one report an hour, as many as the columns have cells."""
    height = len(next(iter(columns.values()))) if columns else len(instants or [None])
    times = list(instants) if instants is not None else [at(day) + timedelta(hours=hour) for hour in range(height)]
    known: dict[str, Sequence[Any]] = {
        "utc_time": times,
        **columns,
        "extracted_at": columns.get("extracted_at", [EXTRACTED] * height),
        "source": columns.get("source", [0] * height),
        "line": columns.get("line", list(range(2, 2 + height))),
    }
    return StationDay(DayKey(station_id, day), revision, frame_of(known), sources)


def frame_of(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """Columns with the types that their names ask for."""
    return pl.DataFrame([pl.Series(name, list(cells), dtype=dtype_of(name)) for name, cells in columns.items()])


_CELLS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "float": st.floats(allow_nan=False),
    "int": st.integers(-(2**15), 2**15 - 1),
    "text": st.sampled_from(COMPASS),
}
_INSTANTS: Final = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
_SOURCE_NAMES: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@st.composite
def station_days(draw: st.DrawFn, station_id: str, *, most: int = 12) -> StationDay:
    """Any sound day: a subset of variables with nulls, flags, overrides, several sources, columns in any order."""
    day = draw(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
    offsets = sorted(draw(st.sets(st.integers(0, 86_399_999), min_size=1, max_size=most)))
    height = len(offsets)
    sources = tuple(draw(st.lists(_SOURCE_NAMES, min_size=1, max_size=3, unique=True)))
    places = st.integers(0, len(sources) - 1)
    instants = pl.Series("utc_time", [_ms(day) + offset for offset in offsets], dtype=pl.Int64).cast(INSTANT)

    def column(name: str, cells: st.SearchStrategy[Any], *, nulls: bool = True) -> pl.Series:
        values = draw(st.lists(st.none() | cells if nulls else cells, min_size=height, max_size=height))
        return pl.Series(name, values, dtype=dtype_of(name))

    columns = [instants]
    columns += [column(v.name, _CELLS[v.kind]) for v in VARIABLES if draw(st.booleans())]
    flagged = draw(st.sets(st.sampled_from(NAMES), max_size=3))
    columns += [column(name + FLAG_SUFFIX, st.integers(1, 9)) for name in sorted(flagged)]
    columns += [column("extracted_at", _INSTANTS, nulls=False), column("source", places, nulls=False)]
    columns += [column("line", st.integers(1, 2**31 - 1))]
    of_suffix = dict(zip(OVERRIDE_SUFFIXES, (_INSTANTS, places, st.integers(1, 2**31 - 1)), strict=True))
    for name in sorted(draw(st.sets(st.sampled_from(NAMES), max_size=2))):
        columns += [column(name + suffix, cells) for suffix, cells in of_suffix.items()]
    frame = pl.DataFrame([columns[0], *draw(st.permutations(columns[1:]))])
    return StationDay(DayKey(station_id, day), 0, frame, sources)


def _ms(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    """What a store owes for a saved frame, computed the slow way: see `barograph.store.day_frame`."""
    known = {name: frame[name] for name in frame.columns if frame[name].null_count() < frame.height}
    order = ["utc_time", *NAMES, *(name + FLAG_SUFFIX for name in NAMES), "extracted_at", "source", "line"]
    triples = [[name + suffix for suffix in OVERRIDE_SUFFIXES] for name in NAMES]
    wanted = [name for name in order if name in known or name == "line"]
    wanted += [name for triple in triples if any(part in known for part in triple) for name in triple]
    empty = [None] * frame.height
    return pl.DataFrame([known.get(name, pl.Series(name, empty, dtype=dtype_of(name))) for name in wanted])
