"""What a person types becomes the right instants, in every timezone and on the nights when the clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import UsageError
from barograph.query import Span, local_day, parse_span

ZONES = sorted(available_timezones() - {"localtime"})
PARIS = "Europe/Paris"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@given(st.sampled_from(ZONES), st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_consecutive_local_days_tile_the_time_line(zone: str, day: date) -> None:
    """A day ends where the next starts, in any timezone and year; it starts at the first instant with its date."""
    start, end = local_day(day, zone)
    assert local_day(day + timedelta(days=1), zone)[0] == end
    assert start <= end <= start + timedelta(hours=49)
    assert start.astimezone(ZoneInfo(zone)).date() >= day
    assert (start - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date() < day


@given(st.sampled_from([PARIS, "Europe/Brussels", "America/New_York"]), st.dates(date(2000, 1, 1), date(2037, 12, 31)))
def test_a_local_day_holds_its_date_and_nothing_else(zone: str, day: date) -> None:
    """23, 24 or 25 hours, and every quarter of an hour in them has the day's date on the station's clock."""
    start, end = local_day(day, zone)
    assert (end - start) / timedelta(hours=1) in (23, 24, 25)
    quarters = int((end - start) / timedelta(minutes=15))
    dates = {(start + timedelta(minutes=15 * part)).astimezone(ZoneInfo(zone)).date() for part in range(quarters)}
    assert dates == {day}


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        (PARIS, date(2024, 3, 31), utc(2024, 3, 30, 23), 23),
        (PARIS, date(2024, 10, 27), utc(2024, 10, 26, 22), 25),
        ("UTC", date(2024, 10, 27), utc(2024, 10, 27), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), utc(2018, 11, 4, 3), 23),  # there was no midnight
        ("America/Havana", date(2024, 11, 3), utc(2024, 11, 3, 4), 25),  # there were two
        ("America/Toronto", date(1919, 3, 31), utc(1919, 3, 31, 4, 30), 23.5),  # 23:30 was followed by 00:30
        ("Pacific/Apia", date(2011, 12, 30), utc(2011, 12, 30, 10), 0),  # the day was left out
    ],
)
def test_days_on_which_the_clock_changed(zone: str, day: date, start: datetime, hours: float) -> None:
    """Known nights, also where midnight itself was skipped or repeated."""
    assert local_day(day, zone) == (start, start + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("typed", "start", "end"),
    [
        (("2024-10-01",), utc(2024, 9, 30, 22), utc(2024, 10, 1, 22)),
        (("2024-10",), utc(2024, 9, 30, 22), utc(2024, 10, 31, 23)),
        (("2024-12",), utc(2024, 11, 30, 23), utc(2024, 12, 31, 23)),
        (("2024",), utc(2023, 12, 31, 23), utc(2024, 12, 31, 23)),
        ((date(2024, 10, 1),), utc(2024, 9, 30, 22), utc(2024, 10, 1, 22)),
        (("2024-10-01", "2024-10-07"), utc(2024, 9, 30, 22), utc(2024, 10, 7, 22)),
        (("2024-10", "2024-11"), utc(2024, 9, 30, 22), utc(2024, 11, 30, 23)),
        (("2024-10-01", "2024-10-07T12:00"), utc(2024, 9, 30, 22), utc(2024, 10, 7, 10)),
        (("2024-10-01T06:30:15Z", "2024-10-01T06:31+00:00"), utc(2024, 10, 1, 6, 30, 15), utc(2024, 10, 1, 6, 31)),
        (("2024-10-01 06:30", datetime(2024, 10, 1, 7)), utc(2024, 10, 1, 4, 30), utc(2024, 10, 1, 5)),
        (("2024-10-27T02:30", "2024-10-27T02:30"), utc(2024, 10, 27, 0, 30), utc(2024, 10, 27, 1, 30)),
        ((" 2024-03-31T02:30 ", "2024-03-31"), utc(2024, 3, 31, 0, 30), utc(2024, 3, 31, 22)),
    ],
)
def test_what_a_person_types(typed: tuple[str, ...], start: datetime, end: datetime) -> None:
    """Days, months, years and times, on the clock of Paris; of a time that came twice the span holds both readings."""
    assert parse_span(*typed, timezone=PARIS) == Span(start, end, PARIS)


def test_utc_days_on_request_and_without_a_timezone() -> None:
    """`utc` overrules the station's timezone; a station without one has UTC days."""
    day = Span(utc(2024, 10, 1), utc(2024, 10, 2), "UTC")
    assert parse_span("2024-10-01", timezone=PARIS, utc=True) == day
    assert parse_span("2024-10-01") == day


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("2024-13",), "2024-13"),
        (("2024-02-30",), "2024-02-30"),
        (("01/10/2024",), "01/10/2024"),
        (("20241001",), "20241001"),
        (("",), "not a date"),
        (("yesterday",), "yesterday"),
        (("2024-10-01T25:00", "2024-10-02"), "2024-10-01T25:00"),
        (("2024-10-01T06:00",), "not a span"),
        (("2024-10-02", "2024-10-01"), "FROM comes first"),
        (("2024-10-01T06:00", "2024-10-01T06:00"), "empty"),
        (("0001-01-01",), "1800"),
        (("2024", "9999-12-31T23:59:59-12:00"), "2200"),
    ],
)
def test_what_cannot_be_meant(typed: tuple[str, ...], told: str) -> None:
    """Each mistake is named, with what was typed, and never guessed at."""
    with pytest.raises(UsageError, match=told):
        parse_span(*typed, timezone=PARIS)


@pytest.mark.parametrize("name", ["Europe", "Mars/Olympus", "../../etc/passwd", ""])
def test_an_unknown_timezone(name: str) -> None:
    """It is an error of usage, whatever the timezone database makes of the name."""
    with pytest.raises(UsageError, match="IANA"):
        local_day(date(2024, 10, 1), name)


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is a span or a UsageError."""
    try:
        span = parse_span(text)
    except UsageError:
        return
    assert span.start < span.end


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        (("2024-10-27",), "Sunday 27 October 2024"),
        (("2024-10",), "October 2024"),
        (("2024",), "2024"),
        (("2023", "2024"), "2023 – 2024"),
        (("2024-10-01", "2024-10-07"), "1 – 7 October 2024"),
        (("2024-09-30", "2024-10-07"), "30 September – 7 October 2024"),
        (("2023-12-31", "2024-01-01"), "31 December 2023 – 1 January 2024"),
        (("2024-10-05", "2024-10-07T12:00Z"), "5 October 2024 00:00 – 7 October 2024 14:00"),
        (("2024-10-05T06:00", "2024-10-05T07:30"), "5 October 2024 06:00 – 07:30"),
    ],
)
def test_how_a_span_reads(typed: tuple[str, ...], label: str) -> None:
    """The shortest wording that says the same."""
    assert parse_span(*typed, timezone=PARIS).label == label
