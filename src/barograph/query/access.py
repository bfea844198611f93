"""How long a span of reports takes to be at hand, and how the store finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from barograph.query.read import Query

if TYPE_CHECKING:
    from barograph.query.spans import Span
    from barograph.store.base import AccessPlan, StoreReader


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds of several rounds: of the first one, which may have found nothing in any cache, and of all of them.

    `p95` is a measured value: the smallest that at least 95 % of the rounds do not exceed.
    """

    first: float
    minimum: float
    median: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Durations:
        """Of at least one round, in their order."""
        ordered = sorted(seconds)
        return cls(seconds[0], ordered[0], median(ordered), ordered[-(-95 * len(ordered) // 100) - 1])


@dataclass(frozen=True, slots=True)
class AccessTime:
    """What was measured of one span.

    `in_hand`: the query as every face asks it, decoded into a DataFrame with its flags. `first_document`: until the
    first stored document (row) was there, undecoded; None where the span has none. `cursor`: until the driver returned
    a lazy cursor, before anything was fetched: often quoted, and no access time; None where the driver has none.
    `documents` and `bytes` (undecoded) are what one query fetches.
    """

    reports: int
    rounds: int
    in_hand: Durations
    first_document: Durations | None
    cursor: Durations | None
    documents: int
    bytes: int
    plan: AccessPlan


def access_time(store: StoreReader, station_id: str, span: Span, *, rounds: int) -> AccessTime:
    """Ask for the span `rounds` times, then fetch it as often without decoding. Raises what the query raises."""
    query = Query(store)
    seconds, reports = [], 0
    for _ in range(rounds):
        begun = perf_counter()
        reports = query.reports(station_id, span).height
        seconds.append(perf_counter() - begun)
    fetches = [store.fetch(station_id, span.start, span.end) for _ in range(rounds)]
    firsts = [fetch.first for fetch in fetches if fetch.first is not None]
    cursors = [fetch.cursor for fetch in fetches if fetch.cursor is not None]
    return AccessTime(
        reports,
        rounds,
        Durations.of(seconds),
        Durations.of(firsts) if firsts else None,
        Durations.of(cursors) if cursors else None,
        fetches[-1].documents,
        fetches[-1].bytes,
        store.explain(station_id, span.start, span.end),
    )
