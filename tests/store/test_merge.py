"""The one merge: its invariants by hypothesis, its judgements by example."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from barograph.frame import INSTANT, variables_in
from barograph.store.base import DayKey, StationDay
from barograph.store.merge import DayRows, Merged, merge_day, split_days

KEY = DayKey("S", date(2024, 10, 1))
SCHEMA = {
    "station_id": pl.String(), "utc_time": INSTANT, "temperature": pl.Float64(), "humidity": pl.Int16(),
    "wind_direction": pl.String(), "extracted_at": INSTANT, "origin": pl.String(), "line": pl.Int32(),
}  # fmt: skip
Row = tuple[int, float | None, int | None, str | None]


def rows(day: int, *reports: Row, stream: str = "s", name: str | None = None) -> DayRows:
    """An extraction of November `day`, landed as one object; reports are (minute, temperature, humidity, wind)."""
    extracted = datetime(2024, 11, day, tzinfo=UTC)
    origin = f"p/{stream}/{name or day}.csv"
    start = datetime(2024, 10, 1, tzinfo=UTC)
    data = [
        ("S", start + timedelta(minutes=m), t, h, w, extracted, origin, line)
        for line, (m, t, h, w) in enumerate(reports, 2)
    ]
    return split_days(pl.DataFrame(data, schema=SCHEMA, orient="row"))[KEY]


def apply(stored: StationDay | None, *extractions: DayRows) -> StationDay | None:
    """Merge one after the other, as saving and loading would."""
    for extraction in extractions:
        merged = merge_day(KEY, stored, extraction)
        if merged.day is not None:
            stored = StationDay(KEY, merged.day.revision + 1, merged.day.frame, merged.day.sources)
    return stored


def values(day: StationDay | None) -> dict[int, dict[str, Any]]:
    """minute -> what is known."""
    assert day is not None
    start = datetime(2024, 10, 1, tzinfo=UTC)
    return {
        int((row["utc_time"] - start).total_seconds() // 60): {
            name: row[name] for name in variables_in(day.frame.columns) if row[name] is not None
        }
        for row in day.frame.iter_rows(named=True)
    }


REPORTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([None, 1.0, 2.0]),
        st.sampled_from([None, 50, 60]),
        st.sampled_from([None, "N", "S"]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda report: report[0],
)


def expected(extractions: Sequence[Sequence[Row]]) -> dict[int, dict[str, Any]]:
    """The definition: per instant and variable, the last non-null value in order of extraction."""
    known: dict[int, dict[str, Any]] = {}
    for reports in extractions:
        for minute, *cells in reports:
            there = known.setdefault(minute, {})
            there |= {
                name: cell
                for name, cell in zip(("temperature", "humidity", "wind_direction"), cells, strict=True)
                if cell is not None
            }
    return known


@given(st.lists(REPORTS, min_size=1, max_size=4))
def test_a_later_extraction_wins_value_by_value(extractions: list[list[Row]]) -> None:
    """Merged in order, the record is the last non-null value of each variable of each instant, in time order."""
    stored = apply(None, *(rows(day, *reports) for day, reports in enumerate(extractions, 1)))
    assert values(stored) == expected(extractions)
    assert stored is not None
    assert stored.frame.get_column("utc_time").is_sorted()
    assert stored.frame.get_column("utc_time").is_unique().all()


@given(st.lists(REPORTS, min_size=2, max_size=3))
def test_the_order_of_arrival_does_not_matter(extractions: list[list[Row]]) -> None:
    """Whatever the order, the values are the same, when a late extraction is merged with what came after it."""
    parts = {day: rows(day, *reports) for day, reports in enumerate(extractions, 1)}
    outcomes = []
    for order in permutations(parts):
        stored: StationDay | None = None
        seen: list[int] = []
        for day in order:
            newer = [parts[other] for other in seen if other > day]
            later = _together(newer, parts[day]) if newer else None
            merged = merge_day(KEY, stored, parts[day], later=later)
            stored = stored if merged.day is None else merged.day
            seen.append(day)
        outcomes.append(values(stored))
    assert all(outcome == expected(extractions) for outcome in outcomes)


def _together(parts: list[DayRows], wanted: DayRows) -> DayRows | None:
    """The rows of newer extractions for the instants of a late one, as the pipeline reads them."""
    frames = [
        part.frame.with_columns(
            pl.lit("S").alias("station_id"),
            pl.col("source").replace_strict(dict(enumerate(part.origins)), return_dtype=pl.String).alias("origin"),
        ).drop("source")
        for part in parts
    ]
    rows_ = pl.concat(frames, how="diagonal").join(wanted.frame.select("utc_time").unique(), on="utc_time", how="semi")
    return split_days(rows_)[KEY] if rows_.height else None


@given(REPORTS, REPORTS)
def test_merging_again_changes_nothing(first: list[Row], second: list[Row]) -> None:
    """Idempotence: an extraction that is merged already writes nothing and counts as unchanged."""
    stored = apply(None, rows(1, *first), rows(2, *second))
    for day, reports in ((1, first), (2, second)):
        again = merge_day(KEY, stored, rows(day, *reports))
        assert again.day is None or values(again.day) == values(stored)
    again = merge_day(KEY, stored, rows(2, *second))
    assert again.day is None
    assert (again.counts.new, again.counts.changed, again.counts.unchanged) == (0, 0, len(second))


@given(REPORTS, REPORTS)
def test_every_row_has_one_fate(first: list[Row], second: list[Row]) -> None:
    """new + changed + unchanged + rejected + duplicates = rows, also with doubled rows."""
    stored = apply(None, rows(1, *first))
    merged = merge_day(KEY, stored, rows(2, *second, *second, *first))
    assert merged.counts.rows == 2 * len(second) + len(first)
    assert merged.counts.rejected == len(merged.rejections)


def merge(stored: StationDay | None, extraction: DayRows, **more: Any) -> Merged:
    """One merge."""
    return merge_day(KEY, stored, extraction, **more)


def test_an_older_extraction_never_overwrites_a_newer_one() -> None:
    """It may only fill what is null."""
    stored = apply(None, rows(5, (0, 1.0, None, "N")))
    merged = merge(stored, rows(3, (0, 9.0, 50, "S"), (5, 2.0, None, None)))
    assert values(merged.day) == {
        0: {"temperature": 1.0, "humidity": 50, "wind_direction": "N"},
        5: {"temperature": 2.0},
    }
    assert (merged.counts.new, merged.counts.changed) == (1, 1)


def test_a_confirmed_value_stands_against_a_late_extraction() -> None:
    """1 says A, 3 says A again (nothing is written), then 2 arrives and says B: A stays, nothing changes."""
    stored = apply(None, rows(1, (0, 1.0, None, None)))
    assert merge(stored, rows(3, (0, 1.0, None, None))).day is None
    late = merge(stored, rows(2, (0, 2.0, None, None)), later=rows(3, (0, 1.0, None, None)))
    assert late.day is None
    assert late.counts.unchanged == 1


def test_provenance_follows_the_value() -> None:
    """Each value knows the extraction, object and line it came from, also where the report has another."""
    stored = apply(None, rows(1, (0, 1.0, 50, None)), rows(2, (0, 2.0, None, None)))
    assert stored is not None
    assert stored.sources == ("p/s/1.csv", "p/s/2.csv")
    (row,) = stored.frame.to_dicts()
    assert (row["source"], row["extracted_at"].day) == (1, 2)
    assert (row["humidity_source"], row["humidity_extracted_at"].day, row["humidity_line"]) == (0, 1, 2)
    assert "temperature_source" not in row


def test_origins_that_nothing_comes_from_are_forgotten() -> None:
    """A wholly superseded object leaves the day's list."""
    stored = apply(None, rows(1, (0, 1.0, None, None)), rows(2, (0, 2.0, None, None)))
    assert stored is not None
    assert stored.sources == ("p/s/2.csv",)


def test_a_conflicting_duplicate_is_refused_and_an_equal_one_is_counted() -> None:
    """The first row of an object is kept; the second is named with its line, column and value."""
    merged = merge(None, rows(1, (0, 1.0, 50, None), (0, 1.0, 50, None), (5, 2.0, None, None), (5, 3.0, 60, None)))
    assert values(merged.day) == {0: {"temperature": 1.0, "humidity": 50}, 5: {"temperature": 2.0}}
    assert (merged.counts.new, merged.counts.duplicates, merged.counts.rejected) == (2, 1, 1)
    (bad,) = merged.rejections
    assert (bad.object, bad.line, bad.column, bad.value) == ("p/s/1.csv", 5, "temperature", "3.0")
    assert "line 4 was kept" in bad.reason


def test_a_report_that_vanishes_from_the_source_stays_and_is_noted() -> None:
    """Only within what the later extraction of the same stream covers."""
    stored = apply(None, rows(1, (0, 1.0, None, None), (5, 2.0, None, None), (10, 3.0, None, None)))
    merged = merge(stored, rows(2, (5, 2.0, None, None)), stream="s")
    assert merged.day is None
    (note,) = merged.notes
    assert (note.context["reports"], note.context["first"]) == (1, "2024-10-01T00:10:00Z")
    assert merge(stored, rows(2, (5, 2.0, None, None), stream="t"), stream="t").notes == []


def test_flags_travel_with_their_values() -> None:
    """A replaced value takes its own flag, or none."""
    flagged = rows(1, (0, 99.0, None, None), (5, 98.0, None, None))
    frame = flagged.frame.with_columns(pl.Series("temperature_flag", [4, 4], dtype=pl.UInt8))
    stored = apply(None, DayRows(frame, flagged.origins))
    merged = merge(stored, rows(2, (0, 10.0, None, None)))
    assert merged.day is not None
    assert merged.day.frame.get_column("temperature_flag").to_list() == [None, 4]


def test_equal_instants_of_extraction_are_settled_by_the_object_key() -> None:
    """Two objects of one instant: the greater key wins in either order."""
    a, b = rows(1, (0, 1.0, None, None), name="a"), rows(1, (0, 2.0, None, None), name="b")
    assert values(apply(None, a, b)) == values(apply(None, b, a)) == {0: {"temperature": 2.0}}
