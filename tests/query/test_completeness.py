"""Completeness as a question to a record: spans, local days, stations without a timezone or without reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import polars as pl
import pytest

import barograph
from barograph.errors import NotFound, UsageError
from barograph.query import CAUSES, COMPLETENESS_SCHEMA, completeness, percent, totals
from barograph.store import open_store
from barograph.store.base import StoreReader


@pytest.fixture
def store(url: str) -> Iterator[StoreReader]:
    """IICHTE19 every 30 minutes from 26 September to 2 November, 07015 hourly on 5 and 6 October, 00052 never."""
    opened = open_store(url)
    yield opened
    opened.close()


def test_a_day_is_the_stations_day(store: StoreReader) -> None:
    """25 hours on the night when the clock goes back, 24 with utc."""
    local = completeness(store, ["IICHTE19"], "2024-10-27")
    utc = completeness(store, ["IICHTE19"], "2024-10-27", utc=True)
    assert (local.item(0, "expected"), utc.item(0, "expected")) == (50, 48)
    assert (local.item(0, "received"), utc.item(0, "received")) == (50, 48)
    assert local.get_column("gaps").to_list() == [[]]


def test_the_whole_of_a_span(store: StoreReader) -> None:
    """A row for each station and day, in their order, whatever there is; the columns are the promised ones."""
    frame = completeness(store, None, "2024-10")
    assert frame.schema == pl.Schema(COMPLETENESS_SCHEMA)
    assert frame.get_column("station_id").unique(maintain_order=True).to_list() == ["00052", "07015", "IICHTE19"]
    assert frame.height == 3 * 31
    for _, part in frame.group_by("station_id"):
        assert part.get_column("day").to_list() == [date(2024, 10, number) for number in range(1, 32)]


def test_a_station_without_reports_is_not_judged(store: StoreReader) -> None:
    """Nothing was expected of it, and its share is not zero but unknown; an interval alone changes nothing."""
    for intervals in (None, {"00052": 10.0}):
        frame = completeness(store, ["00052"], "2024-10-05", intervals=intervals)
        assert frame.select("expected", "received", "share", "reports").row(0) == (0, 0, None, 0)


def test_without_from_the_days_end_with_the_record(store: StoreReader) -> None:
    """The 30 days up to the newest report where that is old; else the last 30 days, up to now."""
    old = completeness(store, ["IICHTE19"]).get_column("day")
    assert (old[0], old[-1]) == (date(2024, 10, 5), date(2024, 11, 3))
    now = datetime(2024, 11, 20, 12, tzinfo=UTC)
    fresh = completeness(store, ["IICHTE19"], now=now)
    assert (fresh.item(0, "day"), fresh.item(-1, "day")) == (date(2024, 10, 22), date(2024, 11, 20))
    # From 00:00 to 13:00, by the clock of Brussels.
    assert fresh.item(-1, "expected") == 27
    begun = completeness(store, ["07015"], now=datetime(2024, 10, 8, tzinfo=UTC)).get_column("day")
    assert begun.to_list() == [date(2024, 10, number) for number in (5, 6, 7, 8)]


def test_an_interval_of_ones_own(store: StoreReader) -> None:
    """Every 15 minutes, from a station that reports every 30: half of it is missing, one report at a time."""
    frame = completeness(store, ["IICHTE19"], "2024-10-10", intervals={"IICHTE19": 15})
    assert frame.select("interval_minutes", "expected", "received", "reports").row(0) == (15.0, 96, 48, 48)
    gaps = frame.item(0, "gaps").to_list()
    assert [gap["expected"] for gap in gaps] == [1] * 48


def test_late_is_of_the_hours_that_are_given(store: StoreReader) -> None:
    """The fixture was extracted on 8 October at 01:00 UTC."""
    late = [
        completeness(store, ["07015"], "2024-10-06", late_hours=hours).item(0, "received_late")
        for hours in (100, 48, 36, 0)
    ]
    # Reports from 00 to 23 UTC are 49 to 26 hours old.
    assert late == [0, 1, 13, 24]


@pytest.mark.parametrize("minutes", [0, -5, 1441])
def test_intervals_that_cannot_be(store: StoreReader, minutes: float) -> None:
    """More than nothing, at most a day."""
    with pytest.raises(UsageError, match="cannot be"):
        completeness(store, ["07015"], "2024-10-05", intervals={"07015": minutes})


def test_mistakes(store: StoreReader) -> None:
    """As in every other question."""
    with pytest.raises(NotFound, match="no station 'IICHTE91'"):
        completeness(store, ["IICHTE91"], "2024-10-05")
    with pytest.raises(UsageError, match="TO is given without FROM"):
        completeness(store, None, None, "2024-10-05")


def test_totals_add_up(store: StoreReader) -> None:
    """Of each station, over its days, with every cause."""
    frame = completeness(store, None, "2024-10-05", "2024-10-08", intervals={"IICHTE19": 15})
    sums = {row["station_id"]: row for row in totals(frame).iter_rows(named=True)}
    assert list(sums) == ["00052", "07015", "IICHTE19"]
    assert (sums["IICHTE19"]["days"], sums["IICHTE19"]["expected"], sums["IICHTE19"]["received"]) == (4, 384, 192)
    for row in sums.values():
        assert sum(row[cause] for cause in CAUSES) == row["expected"] - row["received"]
    assert sums["00052"]["share"] is None


def test_a_record_is_asked_the_same_way(url: str) -> None:
    """`Record.completeness` takes what `sql` takes, and any iterable of stations."""
    with barograph.open(url) as record:
        frame = record.completeness("2024-10-05", "2024-10-06", stations=iter(["07015"]))
        assert frame.get_column("received").to_list() == [24, 24]
        assert record.completeness("2024-10-05", date(2024, 10, 6), stations=["07015"]).equals(frame)


@pytest.mark.parametrize(
    ("received", "expected", "text"),
    [(288, 288, "100 %"), (287, 288, "99.6 %"), (105407, 105408, "99.9 %"), (0, 24, "0.0 %"), (0, 0, "")],
)
def test_a_share_is_cut(received: int, expected: int, text: str) -> None:
    """What is not whole never reads as 100 %."""
    assert percent(received, expected) == text
