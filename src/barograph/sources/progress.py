"""How far an incremental source has come, station by station: the nightly cursor, and that of a backfill beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

from barograph.messages import Span, State
from barograph.sources.base import Messages, ReadRequest

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: these stations, from one day to another, both included."""

    stations: tuple[str, ...]
    first: date
    last: date


def named(span: Span, now: datetime) -> dict[str, str | None]:
    """A span as the state names it; None is the end of one that reaches today, which ends later every time."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"from": span.start.isoformat(), "to": None if span.end > today else span.end.isoformat()}


class Progress:
    """A stream's state while a sync works on it.

        {"cursor": {station: day}, "backfill": {"from": …, "to": …, "cursor": {station: day}}}

    A cursor is the last day that was asked for; the nightly sync goes on from `overlap` days before it, because late
    data comes in, and begins with `start` where a station has none. A backfill has a cursor of its own and leaves the
    nightly one alone; one that broke off goes on where it was if the same span is asked for again, and what it knows is
    forgotten at its end, so that a third time asks for everything again. `whole`: the cursor's day was over when it was
    asked for, so that there is no need to ask for it again.
    """

    def __init__(
        self,
        request: ReadRequest,
        *,
        start: date,
        overlap: int,
        whole: bool = False,
    ) -> None:
        span = request.span
        self.data: dict[str, Any] = deepcopy(dict(request.states.get("", {})))
        self._now, self._span, self._start, self._overlap = request.now, span, start, overlap
        self._next = DAY if whole else 0 * DAY
        if span is None:
            self._cursor = self.data.setdefault("cursor", {})
            return
        wanted = named(span, request.now)
        kept = self.data.get("backfill") or {}
        if {key: kept.get(key) for key in wanted} != wanted:
            self.data["backfill"] = {**wanted, "cursor": {}}
        self._cursor = self.data["backfill"]["cursor"]

    def cursor(self, station: str) -> date | None:
        """The last day that was asked for, None before the first."""
        kept = self._cursor.get(station)
        return None if kept is None else date.fromisoformat(kept)

    def first(self, station: str, timezone: tzinfo = UTC) -> date:
        """The day to go on with."""
        cursor = self.cursor(station)
        if cursor is not None:
            # A clock that was ahead has left a cursor in a future of which nothing was said yet.
            cursor = min(cursor, self._today(timezone) - self._next) + self._next
        if self._span is None:
            return self._start if cursor is None else max(self._start, cursor - self._overlap * DAY)
        return self._span.start.astimezone(timezone).date() if cursor is None else cursor

    def last(self, timezone: tzinfo = UTC) -> date:
        """The day to end with: today, or the last one of the span."""
        if self._span is None:
            return self._today(timezone)
        # The span's end is not part of it.
        return min(self._today(timezone), (self._span.end - timedelta(microseconds=1)).astimezone(timezone).date())

    def _today(self, timezone: tzinfo) -> date:
        return self._now.astimezone(timezone).date()

    def reached(self, station: str, day: date) -> None:
        """Everything up to `day` was said; a cursor never goes back."""
        before = self.cursor(station)
        self._cursor[station] = (day if before is None else max(before, day)).isoformat()

    def finish(self) -> None:
        """Nothing is left to ask."""
        if self._span is not None:
            self.data.pop("backfill", None)

    def state(self) -> State:
        """A checkpoint, with what stands in `data` now."""
        return State(deepcopy(self.data))

    def walk(self, asks: Iterable[Ask], answer: Callable[[Ask], Messages]) -> Messages:
        """What is answered to each request, and a State behind it."""
        for ask in asks:
            yield from answer(ask)
            for station in ask.stations:
                self.reached(station, ask.last)
            yield self.state()
        self.finish()
        yield self.state()

    def asks(self, stations: Sequence[str], *, batch: int, window: int) -> list[Ask]:
        """The requests that are due, for UTC days: stations with the same first day share them.

        A window begins with the day on which the one before it ended: whether a server counts the last day in, or only
        its midnight, no report falls between two windows.
        """
        asks: list[Ask] = []
        last = self.last()
        firsts = sorted(((self.first(station), place) for place, station in enumerate(stations)))
        for first, group in groupby(firsts, key=lambda pair: pair[0]):
            together = [stations[place] for _, place in group]
            for names in _batches(together, batch):
                asks += [Ask(names, a, b) for a, b in _windows(first, last, window)]
        return asks


def _batches(stations: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    for at in range(0, len(stations), size):
        yield tuple(stations[at : at + size])


def _windows(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    """From `first` to `last`, at most `days` days each, both ends counted."""
    while first <= last:
        end = min(last, first + (days - 1) * DAY)
        yield first, end
        if end == last:
            return
        first = end if end > first else end + DAY
