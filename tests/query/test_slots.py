"""Which reports were due, and which of them came: whatever the clock, the interval and the day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.model import epoch_ms
from barograph.query import local_day
from barograph.query.slots import due_slots, usual_interval

MINUTE = 60_000
SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)
ALWAYS = (-(2**62), 2**62)


def days_of(first: date, count: int, timezone: str) -> pl.DataFrame:
    dates = [first + timedelta(days=number) for number in range(count)]
    bounds = [[epoch_ms(instant) for instant in local_day(day, timezone)] for day in dates]
    return pl.DataFrame(
        [(day, *pair) for day, pair in zip(dates, bounds, strict=True)], ["day", "start", "end"], orient="row"
    )


def times_of(instants: list[int]) -> pl.DataFrame:
    return pl.DataFrame({"time": sorted(instants)}, schema={"time": pl.Int64}).with_columns(late=pl.lit(value=False))


def span_of(days: pl.DataFrame) -> tuple[int, int]:
    return days.item(0, "start"), days.item(-1, "end")


@pytest.mark.parametrize("minutes", [5, 10, 60, 180])
@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (date(2024, 6, 1), 24), (AUTUMN, 25)])
def test_a_local_day_has_its_own_number_of_slots(day: date, hours: int, minutes: int) -> None:
    """23, 24 or 25 hours of them, all empty where nothing came."""
    days = days_of(day, 1, "Europe/Brussels")
    slots = due_slots(times_of([]), days, minutes * MINUTE, *ALWAYS)
    # Where nothing came, reports are due on the UTC hour; of 3-hourly ones 23 or 25 hours do not come out even.
    start, end = span_of(days)
    assert end - start == hours * 60 * MINUTE
    assert slots.height == sum(at % (minutes * MINUTE) == 0 for at in range(start, end, MINUTE))
    assert not slots.get_column("filled").any()


@st.composite
def clocks(draw: st.DrawFn) -> tuple[pl.DataFrame, int, list[int]]:
    """Days (with changes of the clock among them), an interval, and a report in each: phase and jitter of its own."""
    minutes = draw(st.sampled_from([1, 5, 10, 15, 60]))
    step = minutes * MINUTE
    first = draw(st.sampled_from([SPRING, AUTUMN, date(2024, 6, 1)])) - timedelta(days=1)
    days = days_of(first, 3, draw(st.sampled_from(["Europe/Brussels", "UTC", "Asia/Kolkata"])))
    start, end = span_of(days)
    phase = draw(st.integers(0, step - step // 5))
    jitter = draw(st.lists(st.integers(0, step // 20), min_size=7, max_size=7))
    instants = [at + phase + jitter[place % 7] for place, at in enumerate(range(start, end, step))]
    return days, step, instants


@given(clocks(), st.data())
def test_what_does_not_come_is_missing_exactly(clock: tuple[pl.DataFrame, int, list[int]], data: st.DataObject) -> None:
    """As many slots are empty as reports were taken away; with these, in whatever order they come, none is."""
    days, step, instants = clock
    inner = range(1, len(instants) - 1)
    # A day keeps most of its reports, as its clock is read from them.
    taken = data.draw(st.sets(st.sampled_from(inner), max_size=12))
    left = [instant for place, instant in enumerate(instants) if place not in taken]
    slots = due_slots(times_of(left), days, step, *ALWAYS)
    assert slots.get_column("filled").sum() == len(left)
    assert slots.height - len(left) == len(taken)
    empty = slots.filter(~pl.col("filled")).get_column("due").to_list()
    assert all(abs(due - instants[place]) <= step // 10 for due, place in zip(empty, sorted(taken), strict=True))
    back = data.draw(st.permutations(sorted(taken)))
    whole = due_slots(times_of(left + [instants[place] for place in back]), days, step, *ALWAYS)
    assert whole.get_column("filled").all()


@given(clocks(), st.integers(-5, 5))
def test_a_drifting_clock_is_no_gap(clock: tuple[pl.DataFrame, int, list[int]], permille: int) -> None:
    """Up to half a percent fast or slow, over three days: no report is missing."""
    days, step, instants = clock
    drifted = [instant + place * step * permille // 1000 for place, instant in enumerate(instants)]
    low, high = drifted[0], drifted[-1]
    slots = due_slots(times_of(drifted), days, step, low, high)
    assert slots.get_column("filled").all()
    assert slots.height <= len(instants) + days.height


def test_two_reports_in_a_slot_hide_no_gap() -> None:
    """A day with as many reports as are due, two of them in one slot, lacks one."""
    days = days_of(date(2024, 6, 1), 1, "UTC")
    start, end = span_of(days)
    instants = list(range(start + 4 * MINUTE, end, 5 * MINUTE))
    instants[100] = instants[99] + 2 * MINUTE
    slots = due_slots(times_of(instants), days, 5 * MINUTE, *ALWAYS)
    assert (slots.height, len(instants)) == (288, 288)
    assert slots.filter(~pl.col("filled")).get_column("due").to_list() == [start + 504 * MINUTE]


def test_reports_around_midnight_belong_to_the_day_that_begins() -> None:
    """An hourly station that reports some seconds before the hour has 24 reports a day, from 00 to 23."""
    days = days_of(date(2024, 6, 1), 2, "UTC")
    start, end = span_of(days)
    early = [hour - 7000 for hour in range(start, end, 60 * MINUTE)]
    slots = due_slots(times_of(early), days, 60 * MINUTE, *ALWAYS)
    assert slots.get_column("filled").all()
    assert slots.group_by("day", maintain_order=True).len().get_column("len").to_list() == [24, 24]


def test_only_what_was_due_by_now_is_expected() -> None:
    """From the first report on, and up to the moment."""
    days = days_of(date(2024, 6, 1), 1, "UTC")
    start, _ = span_of(days)
    hour = 60 * MINUTE
    times = times_of([start + 6 * hour, start + 7 * hour])
    slots = due_slots(times, days, hour, start + 6 * hour, start + 9 * hour + 30 * MINUTE)
    assert slots.get_column("filled").to_list() == [True, True, False, False]


@pytest.mark.parametrize(
    ("spacings", "minutes"),
    [
        ([300, 301, 299, 302, 1440, 300], 5),
        ([3600, 3600, 600, 600, 3600], 60),
        ([10800, 10800, 21600], 180),
        ([600, 300], 5),
        ([16, 16, 17, 16], 16 / 60),
        ([], None),
    ],
)
def test_the_usual_interval(spacings: list[int], minutes: float | None) -> None:
    """The most frequent spacing, in whole minutes where it is of minutes; the shorter of two as frequent ones."""
    at = epoch_ms(datetime(2024, 6, 1, tzinfo=UTC))
    instants = [at]
    for seconds in spacings:
        instants.append(instants[-1] + seconds * 1000)
    found = usual_interval(pl.Series(instants))
    assert (None if found is None else found / MINUTE) == minutes
