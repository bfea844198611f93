"""When a connection is due: cron as cron means it, in the scheduler's timezone, also when the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.config import Schedule, load
from barograph.errors import ConfigError

MINUTE = timedelta(minutes=1)


def of(text: str, timezone: str = "UTC") -> Schedule:
    schedule = Schedule.of(text, timezone)
    assert schedule is not None
    return schedule


def due(text: str, start: str, count: int, timezone: str = "UTC") -> list[str]:
    """The next times behind an instant (UTC)."""
    schedule, instant, found = of(text, timezone), datetime.fromisoformat(start).replace(tzinfo=UTC), []
    for _ in range(count):
        instant = schedule.next_after(instant)
        assert instant.tzinfo is UTC
        found.append(f"{instant:%m-%d %H:%M}")
    return found


def test_manual_is_never_due() -> None:
    """A connection is synced by hand unless it says otherwise."""
    assert Schedule.of("manual") is None


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "SUN", "0,7"])
def test_days_of_the_week_are_numbered_as_in_cron(sunday: str) -> None:
    """0 and 7 are Sunday: 1 November 2026 is one. APScheduler itself would take 0 for Monday, and refuse 7."""
    assert due(f"0 6 * * {sunday}", "2026-10-31", 2) == ["11-01 06:00", "11-08 06:00"]
    assert due("0 6 * * 1", "2026-10-31", 2) == ["11-02 06:00", "11-09 06:00"]
    assert due("0 6 * * 1-5", "2026-11-06T07:00", 2) == ["11-09 06:00", "11-10 06:00"]
    assert due("0 6 * * 5-7", "2026-11-06T07:00", 3) == ["11-07 06:00", "11-08 06:00", "11-13 06:00"]
    assert due("0 6 * * sun-tue", "2026-10-31", 4) == ["11-01 06:00", "11-02 06:00", "11-03 06:00", "11-08 06:00"]
    assert due("0 6 * * */2", "2026-10-31T12:00", 4) == ["11-01 06:00", "11-03 06:00", "11-05 06:00", "11-07 06:00"]


def test_either_day_will_do() -> None:
    """Where the days of the month and of the week are both named, cron takes the days of either."""
    assert due("0 0 13 * fri", "2026-11-25", 5) == [
        "11-27 00:00",
        "12-04 00:00",
        "12-11 00:00",
        "12-13 00:00",
        "12-18 00:00",
    ]
    assert due("0 0 30 2 1", "2026-02-20", 1) == ["02-23 00:00"], "the 30th of February does not come; Mondays do"


def test_steps_lists_and_names() -> None:
    """The rest of cron's fields."""
    assert due("*/20 1-2 * * *", "2026-11-25T00:50", 4) == ["11-25 01:00", "11-25 01:20", "11-25 01:40", "11-25 02:00"]
    assert due("5,35 0 1 jan,JUL *", "2026-11-25", 3) == ["01-01 00:05", "01-01 00:35", "07-01 00:05"]
    assert due("10/25 0 * * *", "2026-11-25", 2) == ["11-25 00:10", "11-25 00:35"]
    assert due("0 0 29 2 *", "2026-11-25", 1) == ["02-29 00:00"]


def test_daily_is_midnight_of_the_timezone() -> None:
    """Also of a night without midnight: Cairo's clock goes from 24:00 to 01:00, and the day is not left out."""
    assert due("daily", "2026-11-24T12:00", 2) == ["11-25 00:00", "11-26 00:00"]
    assert due("daily", "2026-10-24T12:00", 2, "Europe/Brussels") == ["10-24 22:00", "10-25 23:00"]
    assert due("daily", "2026-04-22", 3, "Africa/Cairo") == ["04-22 22:00", "04-23 22:00", "04-24 21:00"]


def test_the_clock_is_changed() -> None:
    """A time that is jumped over is due at the jump; a repeated one once, and an interval keeps its pace."""
    assert due("30 2 * * *", "2026-03-28", 3, "Europe/Paris") == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    assert due("30 2 * * *", "2026-10-24", 3, "Europe/Paris") == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    half = ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]
    assert due("*/30 * * * *", "2026-10-24T23:30", 5, "Europe/Paris") == half
    assert due("*/30 * * * *", "2026-03-29T00:30", 3, "Europe/Paris") == ["03-29 01:00", "03-29 01:30", "03-29 02:00"]


@given(
    day=st.sampled_from([(2026, 3, 29), (2026, 10, 25), (2026, 7, 1)]),
    minute=st.integers(-300, 300),
    every=st.sampled_from(["7", "*/15", "0,59", "*"]),
    hour=st.sampled_from(["*", "*/2", "1-3"]),
    timezone=st.sampled_from(["Europe/Paris", "UTC", "Europe/London"]),
)
def test_no_minute_is_missed(day: tuple[int, int, int], minute: int, every: str, hour: str, timezone: str) -> None:
    """The next time is the first minute whose wall clock matches, but for repeated and jumped hours that are named."""
    schedule, start = of(f"{every} {hour} * * *", timezone), datetime(*day, 1, tzinfo=UTC) + minute * MINUTE
    minutes, hours, *_ = schedule._sets
    moment = start
    while True:
        moment += MINUTE
        local = moment.astimezone(ZoneInfo(timezone))
        if local.minute in minutes and local.hour in hours and not (local.fold and "*" not in hour):
            break
    found = schedule.next_after(start)
    before = (moment - MINUTE).astimezone(ZoneInfo(timezone))
    assert start < found <= moment
    if found != moment:
        jumped = found.astimezone(ZoneInfo(timezone)).hour - (found - MINUTE).astimezone(ZoneInfo(timezone)).hour
        assert (jumped, before.minute >= 0) == (2, True), "only what the clock jumped over may be due before"


@given(st.lists(st.integers(0, 59), min_size=1, max_size=3), st.integers(0, 10**7))
def test_times_go_forward(minutes: list[int], after: int) -> None:
    """Each time lies behind the one before, through both changes of the clock."""
    schedule = of(f"{','.join(map(str, minutes))} */3 * * *", "Europe/Paris")
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=3 * after)
    for _ in range(20):
        following = schedule.next_after(instant)
        assert timedelta(0) < following - instant <= timedelta(hours=4)
        instant = following


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hourly", "it has 1 field, not five"),
        ("", "it has 0 fields, not five"),
        ("0 0 * * * *", "it has 6 fields, not five"),
        ("61 * * * *", "minute '61' is not within 0 and 59"),
        ("* 24 * * *", "hour '24' is not within 0 and 23"),
        ("* * 0 * *", "day of the month '0' is not within 1 and 31"),
        ("* * * 13 *", "month '13' is not within 1 and 12"),
        ("* * * * 8", "day of the week '8' is not within 0 and 7"),
        ("* * * * fry", "day of the week 'fry' is not understood"),
        ("* * last * *", "day of the month 'last' is not understood"),
        ("*/0 * * * *", "the step is not a whole number above 0"),
        ("5-1 * * * *", "minute '5-1' runs backwards"),
        ("1, * * * *", "minute '' is not understood"),
        ("0 0 30 2 *", "there is no such day"),
        ("0 0 31 4,6 *", "there is no such day"),
    ],
)
def test_a_schedule_that_is_not_one_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """When the configuration is read, not when the scheduler would have run."""
    config = tmp_path / "barograph.toml"
    lines = ["[connections.one]", 'source = "infoclimat"', 'url = "x.json"', 'schedule = "daily"']
    lines += ["[connections.two]", 'source = "infoclimat"', 'url = "y.json"', f'schedule = "{text}"']
    config.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(config, environ={})
    assert caught.value.where == f"{config}:8"
    assert said in caught.value.what
    assert "manual" in caught.value.hint


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[sync]\nconcurrency = 0", "[sync] concurrency = 0 is less than 1"),
        ('[scheduler]\ntimezone = "Europe/Pariis"', "'Europe/Pariis' is not an IANA timezone"),
    ],
)
def test_the_tables_of_the_scheduler_are_checked(tmp_path: Path, table: str, said: str) -> None:
    """At the line."""
    config = tmp_path / "barograph.toml"
    config.write_text(f"\n{table}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(config, environ={})
    assert (caught.value.where, said in caught.value.what) == (f"{config}:3", True)


def test_late_is_a_due_time_and_some_slack() -> None:
    """Daily: 26 hours after the last one; an interval: two of them; a rare one: two hours after its time."""
    last = datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert of("daily").late_after(last) == last + timedelta(hours=26)
    assert of("0 * * * *").late_after(last) == last + timedelta(hours=2)
    assert of("* * * * *").late_after(last) == last + timedelta(minutes=11)
    assert of("0 6 * * 1").late_after(last) == datetime(2026, 11, 30, 8, tzinfo=UTC)
