"""The time axis: local wall-clock ticks, right on the nights when the clock changes, never too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.plot.ticks import ticks
from barograph.query import Span, parse_span

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-31", [0, 2, 3, 3, 3, 3, 3, 3]), ("2024-10-27", [0, 4, 3, 3, 3, 3, 3, 3, 3])]
)
def test_hours_of_a_day_when_the_clock_changes(day: str, hours: list[int]) -> None:
    """Ticks stay at 0, 3, 6 … of the wall clock; the short and the long night stand between the first two."""
    made = ticks(parse_span(day, timezone=PARIS))
    assert [label.split("\n")[0] for label in made.labels] == [*(f"{h:02}:00" for h in range(0, 24, 3)), "00:00"]
    apart = [0, *((b - a) // timedelta(hours=1) for a, b in zip(made.major, made.major[1:], strict=False))]
    assert apart[: len(hours)] == hours


@pytest.mark.parametrize(
    ("typed", "labels"),
    [
        (("2024-10-01", "2024-10-03"), ["Tue\n1 Oct", "Wed\n2 Oct", "Thu\n3 Oct", "Fri\n4 Oct"]),
        (("2024-09-29", "2024-10-20"), ["29\nSep", "1\nOct", *map(str, range(3, 22, 2))]),
        (("2024-10",), ["1\nOct", *map(str, range(3, 30, 2)), "1\nNov"]),
        (("2024-11", "2025-01"), ["11\nNov", "25", "9\nDec", "23", "6\nJan", "20"]),
        (("2024-11", "2025-06"), ["Nov\n2024", "Dec", "Jan\n2025", "Feb", "Mar", "Apr", "May", "Jun", "Jul"]),
        (("2020", "2024"), ["2020", "2021", "2022", "2023", "2024", "2025"]),
    ],
)
def test_labels_say_what_is_new(typed: tuple[str, ...], labels: list[str]) -> None:
    """Days, months and years, with the month or year where it changes."""
    assert list(ticks(parse_span(*typed, timezone=PARIS)).labels) == labels


@settings(max_examples=40)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.floats(0.1, 3000),
    st.sampled_from([PARIS, "UTC", "America/Sao_Paulo", "Asia/Kathmandu"]),
)
def test_any_span_has_ticks_that_fit(start: datetime, days: float, zone: str) -> None:
    """Between 1 and 33 labels, ascending, inside the span, on the hour of the wall clock, and no tick twice."""
    span = Span(start, start + timedelta(days=days), zone)
    made = ticks(span)
    assert 1 <= len(made.labels) == len(made.major) <= 33
    everything = sorted([*made.major, *made.minor])
    assert len(set(everything)) == len(everything)
    assert list(made.major) == sorted(made.major)
    assert all(span.start <= tick <= span.end for tick in everything)
    assert {tick.astimezone(ZoneInfo(zone)).minute for tick in everything} <= {0}
