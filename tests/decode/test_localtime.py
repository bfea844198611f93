"""Wall-clock times to UTC, over both nights on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.decode.localtime import Converted, to_utc

ZONES = ["Europe/Paris", "Europe/Brussels", "Europe/London", "Atlantic/Azores", "America/New_York", "Asia/Kolkata",
         "Australia/Lord_Howe", "America/Havana"]  # fmt: skip
PARIS = "Europe/Paris"


def _convert(clock: list[datetime], zone: str = PARIS) -> Converted:
    return to_utc(pl.Series(clock, dtype=pl.Datetime("ms")), zone)


def _local(instants: list[datetime], zone: str) -> list[datetime]:
    return [instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) for instant in instants]


@given(
    st.sampled_from(ZONES),
    st.dates(date(2015, 1, 1), date(2030, 12, 31)),
    st.sampled_from([5, 10, 15, 30]),
    st.integers(0, 4),
)
def test_what_a_station_clock_shows_is_what_happened(zone: str, day: date, step: int, offset: int) -> None:
    """A gapless day and a half of instants, shown on a local clock and read back, is the same instants.

    Whatever the zone, also when the clock goes back or forward in between.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=offset)
    instants = [start + timedelta(minutes=step * n) for n in range(36 * 60 // step)]
    result = _convert(_local(instants, zone), zone)
    assert result.utc.to_list() == instants
    assert (result.missing, result.unclear, result.assumptions) == ([], [], [])


def test_the_autumn_night_has_300_instants_and_the_spring_night_276() -> None:
    """5-minute rows of the 25-hour and of the 23-hour day land on as many distinct instants."""
    for start, count in (
        (datetime(2024, 10, 26, 22, 4, tzinfo=UTC), 300),
        (datetime(2025, 3, 29, 23, 4, tzinfo=UTC), 276),
    ):
        instants = [start + timedelta(minutes=5 * n) for n in range(count)]
        clock = _local(instants, PARIS)
        assert {moment.date() for moment in clock} == {clock[0].date()}
        assert len(set(_convert(clock).utc.to_list())) == count


def test_a_spring_time_that_did_not_happen_has_no_instant() -> None:
    """02:30 on the night when the clock goes forward."""
    result = _convert([datetime(2025, 3, 30, 1, 55), datetime(2025, 3, 30, 2, 30), datetime(2025, 3, 30, 3, 0)])
    assert result.missing == [1]
    assert result.utc[1] is None
    assert result.utc[2] == datetime(2025, 3, 30, 1, 0, tzinfo=UTC)


def _night(*times: str) -> list[datetime]:
    return [datetime.fromisoformat(f"2024-10-27T{time}") for time in times]


@pytest.mark.parametrize(
    ("clock", "hours", "assumed"),
    [
        # A gap hides the second pass: the rows go on from 01:55.
        (_night("01:45", "01:50", "01:55", "02:00", "02:05", "03:30"), [0, 0], "first pass"),
        # A gap hides the first pass: the rows lead on to 03:00.
        (_night("00:50", "00:55", "02:50", "02:55", "03:00", "03:05"), [1, 1], "second pass"),
        # Both neighbours fit: one pass is missing and nothing tells which.
        (_night("01:50", "01:55", *(f"02:{m:02d}" for m in range(0, 60, 5)), "03:00"), [0] * 12, "first pass"),
        # The export ends inside of the hour: it goes on from what is before.
        (_night("01:50", "01:55", "02:00", "02:05"), [0, 0], None),
        # Sorted by clock: the passes stand side by side.
        (_night("01:55", "02:00", "02:00", "02:05", "02:05", "03:00"), [0, 1, 0, 1], "side by side|equal times"),
    ],
)
def test_a_hidden_fold_is_kept_under_a_reported_assumption(
    clock: list[datetime], hours: list[int], assumed: str | None
) -> None:
    """Never guessed in silence: each of these is stored and named."""
    result = _convert(clock)
    ambiguous = [place for place, moment in enumerate(clock) if moment.hour == 2]
    expected = [
        clock[place].replace(tzinfo=UTC) - timedelta(hours=2 - hour)
        for place, hour in zip(ambiguous, hours, strict=True)
    ]
    assert [result.utc[place] for place in ambiguous] == expected
    if assumed is None:
        assert result.assumptions == []
    else:
        (assumption,) = result.assumptions
        assert any(part in assumption.text for part in assumed.split("|"))
        assert (assumption.first, assumption.last) == (ambiguous[0], ambiguous[-1])


def test_a_disordered_fold_is_refused() -> None:
    """A clock that runs backwards more than once tells nothing."""
    result = _convert(_night("01:55", "02:30", "02:10", "02:40", "02:20", "03:00"))
    assert result.unclear == [1, 2, 3, 4]
    assert [result.utc[place] for place in (1, 2, 3, 4)] == [None] * 4
    assert result.utc[5] == datetime(2024, 10, 27, 2, 0, tzinfo=UTC)
