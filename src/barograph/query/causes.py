"""Why a report that was due is not in the record, from what the store knows: ledger, run reports, rejections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from barograph.model import LedgerEntry, epoch_ms
from barograph.query.slots import DAY
from barograph.store.base import LogQuery

if TYPE_CHECKING:
    from barograph.store.base import StoreReader

HAD_NONE: Final = "source had none"
SYNC_FAILED: Final = "sync failed"
REJECTED: Final = "rejected"
LATE: Final = "late"
CAUSES: Final = (HAD_NONE, SYNC_FAILED, REJECTED, LATE)
"""Why a report is missing, as `Evidence.explain` tells it."""

_FIRST_RUNS: Final = 200


@dataclass(slots=True)
class _Stream:
    """What happened to one stream of the landing zone (instants in ms).

    `answers`: spans (a, b) for which the source said all that it had: from the first report of an answer to when it was
    asked. `attempts`: when it was asked, and why that brought nothing, or None where it answered.
    `backfills`: the objects that answer for an older span alone.
    """

    stations: set[str] = field(default_factory=set)
    answers: list[tuple[int, int]] = field(default_factory=list)
    attempts: list[tuple[int, str | None]] = field(default_factory=list)
    backfills: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Refused:
    """The rejected rows of a station: their instants (ms), and how many there are of a local day without an instant."""

    instants: set[int] = field(default_factory=set)
    days: dict[date, int] = field(default_factory=lambda: defaultdict(int))


class Evidence:
    """What a store knows of the time since an instant."""

    def __init__(self, store: StoreReader, since: datetime) -> None:
        ledger = store.objects()
        self._streams: dict[str, _Stream] = defaultdict(_Stream)
        by_stream: dict[str, list[LedgerEntry]] = defaultdict(list)
        for entry in ledger.values():
            by_stream[entry.stream].append(entry)
        for name, entries in by_stream.items():
            _learn_objects(self._streams[name], entries)
        for sync in _syncs(store, since):
            _learn_sync(self._streams, sync, ledger)
        self._refused: dict[str, _Refused] = defaultdict(_Refused)
        for log in store.logs(LogQuery(type="error", since=since)):
            _learn_rejection(self._refused, log.context)

    def explain(self, station_id: str, missing: pl.DataFrame, step: int) -> pl.DataFrame:
        """`missing` (`day`, `due` ascending in ms, and what else there is) with `cause`; `step` is the interval in ms.

        rejected: a refused row stood there. source had none: an answer that reaches from before to after it does not
        hold it, or the next time that the source was asked it answered without it. sync failed: the next time that the
        source was to be asked failed, and no later answer reaches back. late: it has not been asked since.
        """
        streams = [stream for stream in self._streams.values() if station_id in stream.stations]
        due = missing.with_columns(pl.lit(LATE).alias("cause"))
        if attempts := sorted({attempt for stream in streams for attempt in stream.attempts}, key=lambda pair: pair[0]):
            tried = pl.DataFrame(
                [(at, why or HAD_NONE) for at, why in attempts], schema={"at": pl.Int64, "why": pl.String}, orient="row"
            ).set_sorted("at")
            found = due.join_asof(tried, left_on="due", right_on="at", strategy="forward")
            due = found.with_columns(pl.coalesce("why", "cause").alias("cause")).drop("why", "at", strict=False)
        if answers := _merged(span for stream in streams for span in stream.answers):
            told = pl.DataFrame(answers, schema={"from": pl.Int64, "to": pl.Int64}, orient="row").set_sorted("from")
            found = due.join_asof(told, left_on="due", right_on="from")
            inside = (pl.col("due") <= pl.col("to")).fill_null(value=False)
            due = found.with_columns(
                pl.when(inside).then(pl.lit(HAD_NONE)).otherwise(pl.col("cause")).alias("cause")
            ).drop("from", "to", strict=False)
        return self._rejected(station_id, due, step)

    def _rejected(self, station_id: str, due: pl.DataFrame, step: int) -> pl.DataFrame:
        refused = self._refused.get(station_id)
        if refused is None:
            return due
        cause = due.get_column("cause")
        if refused.instants:
            stood = pl.DataFrame({"row": sorted(refused.instants)}, schema={"row": pl.Int64}).set_sorted("row")
            near = due.join_asof(
                stood.with_columns(at="row"), left_on="due", right_on="row", strategy="nearest", tolerance=step // 2
            )
            cause = near.select(
                pl.when(pl.col("at").is_not_null()).then(pl.lit(REJECTED)).otherwise("cause").alias("cause")
            ).to_series()
        for day, count in refused.days.items():
            if places := _shortest(due.get_column("day"), due.get_column("due"), cause, day, count, step):
                cause = cause.scatter(places, REJECTED)
        return due.with_columns(cause)


def _shortest(day: pl.Series, due: pl.Series, cause: pl.Series, wanted: date, count: int, step: int) -> list[int]:
    """The places of up to `count` reports missing on a day, short gaps first: a refused row is mostly alone."""
    places = ((day == wanted) & (cause == HAD_NONE)).arg_true().to_list()
    gaps: list[list[int]] = []
    for place in places:
        if gaps and gaps[-1][-1] == place - 1 and due[place] - due[place - 1] < 2 * step:
            gaps[-1].append(place)
        else:
            gaps.append([place])
    return [place for gap in sorted(gaps, key=len) for place in gap][:count]


def _learn_objects(stream: _Stream, entries: Sequence[LedgerEntry]) -> None:
    known = 0
    for entry in sorted(entries, key=lambda entry: (entry.newest or entry.ingested_at, entry.key)):
        stream.stations.update(coverage.station_id for coverage in entry.coverage)
        if entry.status == "failed":
            stream.attempts.append((epoch_ms(entry.newest or entry.ingested_at), REJECTED))
        elif entry.newest is not None and entry.coverage:
            first = min(epoch_ms(coverage.first) for coverage in entry.coverage)
            last = max(epoch_ms(coverage.last) for coverage in entry.coverage)
            asked = epoch_ms(entry.newest)
            if last < known - DAY:
                # It ends before what was known by then: a backfill, which asked for nothing beyond its own span.
                stream.backfills.add(entry.key)
                stream.answers.append((first, last))
            else:
                stream.attempts.append((asked, None))
                stream.answers.append((first, max(asked, last)))
            known = max(known, last)


def _learn_sync(streams: Mapping[str, _Stream], sync: Mapping[str, Any], ledger: Mapping[str, LedgerEntry]) -> None:
    asked = epoch_ms(datetime.fromisoformat(sync["started"]))
    for name in str(sync["stream"]).split(", "):
        stream = streams[name]
        if sync["status"] in ("failed", "stopped"):
            stream.attempts.append((asked, SYNC_FAILED))
        elif sync["status"] == "unchanged":
            stream.attempts.append((asked, None))
            # It said again what it had said before.
            if before := [span for span in stream.answers if span[1] <= asked]:
                latest = max(end for _, end in before)
                stream.answers.append((min(start for start, end in before if end == latest), asked))
        elif sync["status"] == "landed":
            mine = {key for key in sync.get("objects", ()) if f"/{name}/" in f"/{key}"}
            if mine <= ledger.keys() and not mine <= stream.backfills:
                failed = any(ledger[key].status == "failed" for key in mine)
                stream.attempts.append((asked, REJECTED if failed else None))


def _syncs(store: StoreReader, since: datetime) -> Iterator[Mapping[str, Any]]:
    """The syncs that ended at `since` or later, oldest first."""
    limit = _FIRST_RUNS
    runs = store.runs(limit)
    while len(runs) == limit and datetime.fromisoformat(runs[-1]["started"]) >= since:
        limit *= 8
        runs = store.runs(limit)
    for run in reversed(runs):
        if datetime.fromisoformat(run["finished"]) >= since:
            yield from run.get("connections", ())


def _learn_rejection(refused: dict[str, _Refused], context: Mapping[str, Any]) -> None:
    station_id = context.get("station_id")
    if station_id is None or "reason" not in context or not context.get("rows", 1):
        return
    if "instant" in context:
        refused[station_id].instants.add(epoch_ms(datetime.fromisoformat(context["instant"])))
    elif "day" in context:
        refused[station_id].days[date.fromisoformat(context["day"])] += int(context.get("rows", 1))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans as one, ascending."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result
