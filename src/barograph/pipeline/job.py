"""The commands of the job over a landing zone and a store, each giving a RunReport."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from threading import Event, Lock, Semaphore
from typing import TYPE_CHECKING, Final

from barograph.config import LANDED_ONLY
from barograph.decode import DecodeContext
from barograph.errors import BarographError, StoreError, UsageError
from barograph.landing.layout import parse_key
from barograph.logs import Masks
from barograph.model import (
    Counts,
    LandedObject,
    LedgerEntry,
    ObjectReport,
    Rejection,
    RunReport,
    StoreWaits,
    SyncReport,
    utc_now,
)
from barograph.pipeline.ingesting import Ingest, describe, ingest_object, overlaps
from barograph.pipeline.journal import Journal
from barograph.pipeline.progress import NoProgress, Progress
from barograph.pipeline.refreshes import whole_exports
from barograph.pipeline.stage import Stage
from barograph.pipeline.syncing import SyncRequest
from barograph.sources import Access, open_source

if TYPE_CHECKING:
    from barograph.config import Connection, Settings
    from barograph.landing import LandingZone
    from barograph.messages import Span
    from barograph.store.base import Store

LOOKED_BACK: Final = 100
"""How many finished runs are asked after, to find what a killed one left undone."""
SHOWN_REJECTIONS: Final = 1000
SHOWN_OF_A_KIND: Final = 300
"""How many rejections a run report carries, and of one object, column and reason; all of them are in `logs`."""

LOOK: Final = 0.2
"""Seconds between two looks whether to stop, while another ingest of this process has its turn."""

LONG_WAIT: Final = 1.0
"""Seconds from which on a wait for the store is a warning; a shorter one stands in the run report only."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the commands work on."""

    settings: Settings
    zone: LandingZone
    store: Store
    progress: Progress = field(default_factory=NoProgress)
    stop: Event = field(default_factory=Event)
    """Set from another thread, it ends the syncs under way at their next message, and an ingest between two objects."""
    slots: Semaphore | None = None
    """What jobs of one process share, so that their connections together keep to `[sync] concurrency`."""
    ingesting: Lock = field(default_factory=Lock)
    """Likewise, so that their ingests take turns."""


def sync(job: Job, names: Sequence[str] = (), *, span: Span | None = None) -> RunReport:
    """Sync the named connections, or every enabled one, into the landing zone. Raises UsageError for unknown names.

    With a `span` the sources are asked for it again, whatever they have said of it before (a backfill).
    """
    run = _Run(job, "sync")
    with run.telling():
        run.sync(names, span)
        return run.close()


def ingest(job: Job) -> RunReport:
    """Bring the store up to the landing zone: every object that is new, was changed, or failed before."""
    run = _Run(job, "ingest")
    with run.telling():
        run.ingest()
        return run.close()


def run(job: Job, names: Sequence[str] = (), *, span: Span | None = None) -> RunReport:
    """The nightly job: sync, then ingest. `span` as in `sync`."""
    nightly = _Run(job, "run")
    with nightly.telling():
        nightly.sync(names, span)
        nightly.ingest()
        return nightly.close()


def rebuild(job: Job) -> RunReport:
    """Empty the record and ingest the whole landing zone again.

    The ledger goes first: killed at any instant, the next `ingest`, `run` or `rebuild` completes it.
    """
    again = _Run(job, "rebuild")
    with again.telling():
        job.store.delete_objects()
        job.store.delete_days()
        again.ingest()
        return again.close()


class _Run:
    """One run: its id, its journal and its report."""

    def __init__(self, job: Job, command: str) -> None:
        self.job, self.command = job, command
        self.started = utc_now()
        self.run_id = f"{self.started:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self.journal = Journal(job.store, self.run_id, Masks(job.settings.secrets))
        self.connections: list[SyncReport] = []
        self.objects: list[ObjectReport] = []
        self.rejections: list[Rejection] = []
        self.rejected_facts = 0
        self.skipped = 0
        self.errors: list[str] = []
        self.broken_off = False
        self.crash: BaseException | None = None
        job.store.take_waits()  # an earlier run's
        self.journal.event("info", f"{command} started")

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the process log of a store that fails inside: to `logs` it cannot be told."""
        try:
            yield
        except StoreError as error:
            told, kind = f"{self.command} broke off: {error}", type(error).__name__
            self.journal.count_rest()
            self.journal.tell("error", told, retryable=error.retryable, exception=kind)
            raise

    def sync(self, names: Sequence[str], span: Span | None = None) -> None:
        chosen = _choose(self.job.settings.connections, names)
        if span is not None:
            access = Access(self.job.settings.limits, self.job.settings.data_dir)
            chosen = _with_spans(chosen, names, access)
        request = SyncRequest(span, self.job.stop)
        job = self.job
        synced = Stage(job.settings, job.zone, job.progress, self.journal, request, job.slots).sync_all(chosen)
        self.connections += synced.reports
        self.errors += [f"{report.connection}: {report.error}" for report in synced.reports if report.error]
        self.crash = synced.crash

    def ingest(self) -> None:
        try:
            while not self.job.stop.is_set():
                if self.job.ingesting.acquire(timeout=LOOK):
                    try:
                        return self._ingest_all()
                    finally:
                        self.job.ingesting.release()
            self.errors.append("was stopped before its ingest; the next one takes what is landed")
        except StoreError:
            # There is nobody left to tell but the caller, and the process log (`telling`).
            raise
        except BarographError as error:
            self.broken_off = True
            self.errors.append(str(error))
            told, kind = f"{self.command} broke off: {error}", type(error).__name__
            self.journal.event("error", told, retryable=error.retryable, exception=kind)
            self.close()
            raise

    def _ingest_all(self) -> None:
        shared, waiting = self._prepare()
        known = set(shared.ledger)
        self.job.progress.start("ingest", sum(item.size for item in waiting))
        for done, item in enumerate(waiting):
            if self.job.stop.is_set():
                told = f"was stopped before its end: {len(waiting) - done} objects wait for the next ingest"
                self.errors.append(told)
                self.journal.event("warning", f"{self.command} {told}")
                break
            self.job.progress.item(item.key)
            self._ingest(shared, item)
            self.job.progress.advance(item.size)
        self._settle(shared, known, {item.key for item in waiting})
        self.job.store.refresh_summaries(sorted(shared.touched | set(shared.configured)))
        self.job.progress.finish()

    def _prepare(self) -> tuple[Ingest, list[LandedObject]]:
        settings, store = self.job.settings, self.job.store
        store.expire_logs(settings.log_days)
        listed = {item.key: item for item in self.job.zone.objects()}
        ledger = store.objects()
        self._forget_removed(ledger, listed)
        shared = Ingest(
            zone=self.job.zone,
            store=store,
            journal=self.journal,
            limits=settings.limits,
            contexts=_contexts(settings),
            configured=settings.stations,
            batch_rows=settings.batch_rows,
            run_id=self.run_id,
            ledger=ledger,
            listed=listed,
            progress=self.job.progress,
            stations={stored.station.station_id: stored for stored in store.stations()},
        )
        for station in settings.stations.values():
            describe(shared, station, None)
        strange = sorted({item.stream for item in listed.values()} - set(shared.contexts) - _landed_only(settings))
        for stream in strange:
            count = sum(item.stream == stream for item in listed.values())
            text = f"stream {stream!r} has {count} objects, but no connection names it; they were not ingested"
            self.journal.event("warning", text, stream=stream)
        shared.touched |= self._left_unsummed(ledger)
        mine = [item for item in listed.values() if item.stream in shared.contexts]
        waiting = [item for item in mine if _is_due(item, ledger.get(item.key))]
        self.skipped = len(mine) - len(waiting)
        shared.whole = whole_exports(self.job.zone, waiting, listed)
        return shared, waiting

    def _forget_removed(self, ledger: dict[str, LedgerEntry], listed: Mapping[str, LandedObject]) -> None:
        """Objects that could not be read and were then taken out of the landing zone are no longer waited for."""
        for key, entry in ledger.items():
            mine = entry.status == "failed" and parse_key(self.job.zone.prefix, key) is not None
            if mine and key not in listed:
                ledger[key] = replace(entry, status="done")
                self.job.store.put_objects([ledger[key]])
                told = f"{key}, which could not be read, is no longer in the landing zone; what was readable stays"
                self.journal.event("warning", told, object=key)

    def _left_unsummed(self, ledger: Mapping[str, LedgerEntry]) -> set[str]:
        """Stations of objects that a run stored and then died before it summed them up: such a run has no report.

        Other runs may have finished since, so all of the last runs are looked at. Run ids begin with their start.
        """
        finished = {str(report["run_id"]) for report in self.job.store.runs(limit=LOOKED_BACK)}
        oldest = min(finished) if len(finished) == LOOKED_BACK else ""
        left = [entry for entry in ledger.values() if (entry.run_id or "") > oldest and entry.run_id not in finished]
        return {coverage.station_id for entry in left for coverage in entry.coverage}

    def _ingest(self, shared: Ingest, item: LandedObject) -> None:
        report, rejections = ingest_object(shared, item)
        self.objects.append(report)
        self.rejected_facts += len(rejections)
        self._show(rejections)
        if report.error:
            self.errors.append(report.error)

    def _show(self, rejections: Sequence[Rejection]) -> None:
        """Keep some of each kind for the report, so that one bad sheet does not hide the rest."""
        seen: Counter[tuple[str, str | None, str]] = Counter()
        for rejection in rejections:
            kind = (rejection.object, rejection.column, rejection.reason)
            seen[kind] += 1
            if rejection.rows == 0 or (seen[kind] <= SHOWN_OF_A_KIND and len(self.rejections) < SHOWN_REJECTIONS):
                self.rejections.append(rejection)

    def _settle(self, shared: Ingest, known: set[str], mine: set[str]) -> None:
        """Look for objects that another run ingested meanwhile, and apply the newer of each overlapping pair again.

        Neither run could see the other's extraction (see `_Work._later`); at least one of them sees the other here,
        because each writes its ledger entry before it looks.
        """
        if not mine:
            return
        now = self.job.store.objects()
        foreign = [entry for key, entry in now.items() if key not in known | mine and entry.stream in shared.contexts]
        again = {
            _newer(now[key], other).key for key in mine if key in now for other in foreign if _meet(now[key], other)
        }
        shared.ledger.update(now)
        for key in sorted(again & set(shared.listed)):
            ingest_object(shared, shared.listed[key])

    def close(self) -> RunReport:
        counts = sum((report.reports for report in self.objects), Counts())
        lost = self.rejected_facts > 0 and (
            counts.rejected > self.job.settings.rejected_threshold * counts.rows
            or any(rejection.rows == 0 for rejection in self.rejections)
        )
        failed = bool(self.errors)
        nothing_worked = bool(self.connections) and all(c.error for c in self.connections) and not self.objects
        report = RunReport(
            run_id=self.run_id,
            command=self.command,
            started=self.started,
            finished=utc_now(),
            status="failed" if nothing_worked or self.broken_off else "incomplete" if failed or lost else "done",
            connections=tuple(self.connections),
            objects=tuple(self.objects),
            reports=counts,
            rejections=tuple(self.rejections),
            rejections_total=self.rejected_facts,
            skipped=self.skipped,
            errors=tuple(self.errors),
        )
        told = f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged, {counts.rejected} rejected"
        self.journal.event("info" if report.status == "done" else "error", f"{self.command} {report.status}: {told}")
        self.journal.flush()
        report = self._put(report)
        if self.crash is not None:
            raise self.crash
        return report

    def _put(self, report: RunReport) -> RunReport:
        """Store the report, with how long the store was waited for until it stands there."""
        store = self.job.store
        waits = store.take_waits()
        if waits.longest_s >= LONG_WAIT:
            self.journal.event("warning", _told(waits), store_waits=asdict(waits))
            self.journal.flush()
        report = replace(report, store_waits=waits)
        store.put_run(report)
        if (late := store.take_waits()).calls:
            report = replace(report, store_waits=waits + late)
            store.put_run(report)
        return report


def _told(waits: StoreWaits) -> str:
    told = f"the store could not be written for {waits.longest_s:.1f} s ({waits.reason})"
    return told if waits.calls == 1 else f"{told}; {waits.calls} calls waited for it, {waits.total_s:.1f} s in all"


def _choose(table: Mapping[str, Connection], names: Sequence[str]) -> list[Connection]:
    unknown = [name for name in names if name not in table]
    if unknown:
        raise UsageError(
            f"no connection {unknown[0]!r}", hint=f"known are {', '.join(table) or 'none: add [connections.NAME]'}"
        )
    return [table[name] for name in dict.fromkeys(names)] if names else [c for c in table.values() if c.enabled]


def _with_spans(chosen: Sequence[Connection], names: Sequence[str], access: Access) -> list[Connection]:
    """Those of the connections whose source can be asked for a span of time; one that was named must."""
    able = [connection for connection in chosen if open_source(connection, access).spans]
    for connection in chosen:
        if names and connection not in able:
            raise UsageError(
                f"connection {connection.name!r} cannot be asked for a span of time",
                hint=f"a {connection.source} source is read whole; leave out --from and --to",
            )
    if not able:
        raise UsageError(
            "no connection can be asked for a span of time", hint="files are read whole; leave out --from and --to"
        )
    return able


def _contexts(settings: Settings) -> dict[str, DecodeContext]:
    """How each stream is to be decoded."""
    return {
        folder: DecodeContext(
            decoder=connection.decoder,
            station=settings.stations.get(connection.station or ""),
            stations=settings.stations,
            first_day=connection.first_day,
            mapping=connection.mapping,
            record_mib=settings.limits.record_mib,
            unpacked_mib=settings.limits.unpacked_mib,
        )
        for connection in settings.connections.values()
        if connection.decoder != LANDED_ONLY
        for folder in connection.folders
    }


def _landed_only(settings: Settings) -> set[str]:
    """The streams whose records nobody asked to be ingested."""
    return {f for c in settings.connections.values() if c.decoder == LANDED_ONLY for f in c.folders}


def _is_due(item: LandedObject, entry: LedgerEntry | None) -> bool:
    return entry is None or entry.status == "failed" or (entry.etag, entry.size) != (item.etag, item.size)


def _newer(one: LedgerEntry, other: LedgerEntry) -> LedgerEntry:
    floor = datetime.min.replace(tzinfo=one.ingested_at.tzinfo)
    return max((one, other), key=lambda entry: (entry.newest or floor, entry.key))


def _meet(one: LedgerEntry, other: LedgerEntry) -> bool:
    return any(
        a.station_id == b.station_id and overlaps((a.first, a.last), b) for a in one.coverage for b in other.coverage
    )
