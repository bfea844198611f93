"""Pace, quota, progress and guard, each by itself."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.config import Connection
from barograph.errors import SourceRefused
from barograph.messages import Log, Record, Span, State
from barograph.sources.base import Messages, ReadRequest
from barograph.sources.guard import guarded
from barograph.sources.polite import Pace, Quota, QuotaSpent
from barograph.sources.progress import DAY, Progress
from tests.sources.api_site import utc

NOW = utc(2024, 10, 8, 6)


def _asked(state: dict[str, Any], span: Span | None = None, now: datetime = NOW) -> ReadRequest:
    return ReadRequest({"": state}, span, now)


@given(
    pause=st.floats(0, 5),
    per_minute=st.integers(0, 5),
    busy=st.lists(st.floats(0, 40), min_size=1, max_size=30),
)
def test_no_minute_holds_more_than_its_requests(pause: float, per_minute: int, busy: list[float]) -> None:
    """Whatever the time between requests is, the pace keeps both rules, and never waits longer than they ask."""
    now = 0.0
    begun: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds > 0
        now += seconds

    pace = Pace(pause, per_minute, clock=lambda: now)
    for seconds in busy:
        pace.wait(sleep)
        begun.append(now)
        now += seconds
    gaps = [b - a for a, b in pairwise(begun)]
    assert all(gap >= pause - 1e-9 for gap in gaps)
    if per_minute:
        assert all(b - a >= 60 - 1e-9 for a, b in zip(begun, begun[per_minute:], strict=False))
    for place, (at, seconds) in enumerate(zip(begun[1:], busy, strict=False), 1):
        least = [begun[place - 1] + seconds, begun[place - 1] + pause]
        least += [begun[place - per_minute] + 60] if per_minute and place >= per_minute else []
        assert at == pytest.approx(max(least))


def test_a_quota_is_that_of_its_day() -> None:
    """What was used today counts, what was used yesterday does not."""
    quota = Quota.of({"quota": {"day": "2024-10-08", "used": 2}}, 3, NOW)
    quota.take()
    with pytest.raises(QuotaSpent):
        quota.take()
    assert quota.as_state() == {"day": "2024-10-08", "used": 3}
    assert Quota.of({"quota": quota.as_state()}, 3, NOW + timedelta(days=1)).used == 0


@given(
    days=st.integers(0, 60),
    window=st.integers(1, 20),
    batch=st.integers(1, 4),
    cursors=st.dictionaries(st.sampled_from("abcde"), st.integers(0, 60)),
    overlap=st.integers(0, 5),
)
def test_asks_cover_every_day_of_every_station(
    days: int, window: int, batch: int, cursors: dict[str, int], overlap: int
) -> None:
    """No day between a station's cursor and today is left out, no request is larger than it may be."""
    start = date(2024, 10, 8) - days * DAY
    state = {"cursor": {name: (date(2024, 10, 8) - back * DAY).isoformat() for name, back in cursors.items()}}
    progress = Progress(_asked(state), start=start, overlap=overlap)
    asks = progress.asks("abcde", batch=batch, window=window)
    for ask in asks:
        assert 1 <= len(ask.stations) <= batch
        assert 1 <= (ask.last - ask.first).days + 1 <= window
    for name in "abcde":
        asked = {
            ask.first + n * DAY for ask in asks if name in ask.stations for n in range((ask.last - ask.first).days + 1)
        }
        back = days if name not in cursors else min(days, cursors[name] + overlap)
        assert asked == {date(2024, 10, 8) - n * DAY for n in range(back + 1)}
    for ask in asks:
        for name in ask.stations:
            progress.reached(name, ask.last)
    assert set(progress.state().data["cursor"].values()) == {"2024-10-08"}


def test_a_state_is_a_copy() -> None:
    """What was given as a checkpoint does not run ahead with the sync."""
    progress = Progress(_asked({}), start=date(2024, 10, 1), overlap=0)
    state = progress.state()
    progress.reached("a", date(2024, 10, 2))
    assert state == State({"cursor": {}})


def test_another_span_begins_anew() -> None:
    """Only the very same span goes on where it broke off."""
    span, other = Span(utc(2024, 1, 1), utc(2024, 2, 1)), Span(utc(2024, 1, 1), utc(2024, 3, 1))
    progress = Progress(_asked({"cursor": {"a": "2024-10-07"}}, span), start=date(2024, 10, 1), overlap=3)
    progress.reached("a", date(2024, 1, 9))
    kept = progress.state().data
    assert Progress(_asked(kept, span), start=date(2024, 10, 1), overlap=3).first("a") == date(2024, 1, 9)
    assert Progress(_asked(kept, other), start=date(2024, 10, 1), overlap=3).first("a") == date(2024, 1, 1)
    assert Progress(_asked(kept, None), start=date(2024, 10, 1), overlap=3).first("a") == date(2024, 10, 4)
    assert Progress(_asked(kept, span), start=date(2024, 10, 1), overlap=3).last() == date(2024, 1, 31)


def test_a_span_without_an_end_is_the_same_the_day_after() -> None:
    """`--from` alone ends now, which is later every time: such a backfill goes on where it broke off, too."""
    begun = Span(utc(2024, 9, 1), NOW)
    progress = Progress(_asked({}, begun), start=date(2024, 10, 1), overlap=0)
    progress.reached("a", date(2024, 9, 20))
    later = NOW + timedelta(days=1)
    again = _asked(progress.state().data, Span(utc(2024, 9, 1), later), later)
    resumed = Progress(again, start=date(2024, 10, 1), overlap=0)
    assert (resumed.first("a"), resumed.last()) == (date(2024, 9, 20), date(2024, 10, 9))


def test_the_guard_blots_every_message() -> None:
    """Logs, records at any depth, errors with their cause's text; what holds no secret passes as it is."""
    clean = {"a": [1.5, None, "x"]}
    environ = {"ONE": "s3cr/et!", "TWO": "abc"}
    connection = Connection("net", "iem-asos", "https://x/${ONE}?${TWO}", "net", environ=environ)

    def source() -> Messages:
        yield Log("info", "for s3cr/et!")
        yield Record({"a": {"b": ["s3cr%2Fet%21", "s3cr/et!"]}})
        yield Record(clean)
        raise SourceRefused("no s3cr/et!", where="http://x/s3cr/et%21", hint="ask for s3cr%2Fet%21")

    said: list[Any] = []
    with pytest.raises(SourceRefused) as caught:
        said.extend(guarded(source(), connection))
    assert caught.value.__cause__ is None
    assert str(caught.value) == "connection net, http://x/***: no *** — ask for ***"
    said = []
    messages = guarded(source(), connection)
    said = [next(messages) for _ in range(3)]
    assert said[:2] == [Log("info", "for ***"), Record({"a": {"b": ["***", "***"]}})]
    assert said[2].data is clean
    messages.close()
