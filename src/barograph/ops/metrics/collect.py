"""Taking the samples: from the run reports, the ledger, the stations, the replica set, the backups, the disk."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from barograph.errors import BackupError, BarographError
from barograph.model import SyncReport, utc_now
from barograph.ops.backup.catalogue import instant_of, is_drilled, open_backups
from barograph.ops.disk import free_bytes
from barograph.ops.metrics.registry import Sample

if TYPE_CHECKING:
    from barograph.config import Settings
    from barograph.store.base import StoredStation, StoreReader, SyncEntry

RECENT_RUNS: Final = 100
SYNCS_SINCE: Final = timedelta(days=30)
"""A connection whose last sync is older has no metrics; a schedule longer than that is none."""
RESULTS: Final = {"done": 0.0, "incomplete": 1.0, "failed": 2.0}
VERDICTS: Final = {"healthy": 0.0, "degraded": 1.0}
ROUNDS: Final = 5


def of_store(store: StoreReader) -> Iterator[Sample]:
    """What the store tells. Raises StoreError."""
    runs = store.runs(RECENT_RUNS)
    yield from _of_runs(runs)
    yield from _of_connections(store.syncs(utc_now() - SYNCS_SINCE))
    ledger = store.objects().values()
    yield Sample("barograph_failed_objects", sum(entry.status == "failed" for entry in ledger))
    done = [entry for entry in ledger if entry.status == "done"]
    yield Sample("barograph_landed_objects", len(done))
    yield Sample("barograph_landed_bytes", sum(entry.size for entry in done))
    stations = store.stations()
    for item in stations:
        name = (item.station.station_id,)
        yield Sample("barograph_station_reports", item.summary.count, name)
        if item.summary.last is not None:
            yield Sample("barograph_station_last_report_timestamp_seconds", item.summary.last.timestamp(), name)
    yield from _access_time(store, stations)


def _of_runs(runs: list[dict[str, Any]]) -> Iterator[Sample]:
    seen: set[tuple[str, str]] = set()
    for run in runs:
        ended = _instant(run["finished"])
        kinds = ["barograph_run_last_timestamp_seconds"]
        kinds += ["barograph_run_last_success_timestamp_seconds"] if run["status"] == "done" else []
        for name in kinds:
            if (name, run["command"]) not in seen:
                seen.add((name, run["command"]))
                yield Sample(name, ended.timestamp(), (run["command"],))
    if not runs:
        return
    last = runs[0]
    yield Sample("barograph_run_result", RESULTS[last["status"]])
    yield Sample(
        "barograph_run_duration_seconds", (_instant(last["finished"]) - _instant(last["started"])).total_seconds()
    )
    for fate, count in last["reports"].items():
        yield Sample("barograph_run_reports", count, (fate,))
    yield Sample("barograph_run_failed_connections", sum(c["status"] == "failed" for c in last["connections"]))
    yield Sample("barograph_run_failed_objects", sum(o["status"] == "failed" for o in last["objects"]))
    waits = last.get("store_waits", {})
    yield Sample("barograph_run_store_wait_seconds", waits.get("longest_s", 0.0))
    yield Sample("barograph_run_store_retries", waits.get("repeats", 0))


def _of_connections(syncs: Iterable[SyncEntry]) -> Iterator[Sample]:
    last: dict[str, SyncReport] = {}
    good: dict[str, SyncReport] = {}
    for sync in (entry.sync for entry in syncs):
        if sync.status in ("landed", "unchanged", "failed"):
            last.setdefault(sync.connection, sync)
        if sync.status in ("landed", "unchanged"):
            good.setdefault(sync.connection, sync)
    for name, sync in last.items():
        yield Sample("barograph_connection_failing", float(sync.status == "failed"), (name,))
        yield Sample("barograph_connection_records", sync.records, (name,))
        seconds = (sync.finished - sync.started).total_seconds()
        yield Sample("barograph_connection_duration_seconds", seconds, (name,))
    for name, sync in good.items():
        yield Sample("barograph_connection_last_success_timestamp_seconds", sync.finished.timestamp(), (name,))


def _access_time(store: StoreReader, stations: list[StoredStation]) -> Iterator[Sample]:
    """The newest day of the station with the most reports, read a few times."""
    known = [item for item in stations if item.summary.last is not None]
    if not known:
        return
    item = max(known, key=lambda one: one.summary.count)
    end = (item.summary.last or datetime.now(UTC)) + timedelta(milliseconds=1)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        store.read(item.station.station_id, end - timedelta(days=1), end)
        times.append(time.perf_counter() - began)
    yield Sample("barograph_access_time_seconds", statistics.median(times))


def of_replica(url: str) -> Iterator[Sample]:
    """The members of the replica set behind a MongoDB URI; nothing for another store."""
    if not url.startswith("mongodb"):
        return
    from barograph.ops.replica import replica_status

    found = replica_status(url)
    states: dict[str, int] = {}
    for member in found.members:
        states[member.state] = states.get(member.state, 0) + 1
        if member.lag_s is not None:
            yield Sample("barograph_replica_lag_seconds", member.lag_s, (member.name,))
    for state, count in states.items():
        yield Sample("barograph_replica_members", count, (state,))
    yield Sample("barograph_replica_degraded", VERDICTS.get(found.verdict, 2.0))


def of_backups(url: str) -> Iterator[Sample]:
    """The newest whole backup and the last successful drill. Raises BackupError.

    However many there are, one manifest is read, and what the drills have left.
    """
    backups = open_backups(url, make=False)
    contents = backups.whole()
    for backup_id in sorted(contents, reverse=True):
        with suppress(BackupError):
            backups.manifest(backup_id)
            yield Sample("barograph_backup_last_success_timestamp_seconds", instant_of(backup_id).timestamp())
            yield Sample("barograph_backup_bytes", sum(entry.size for entry in contents[backup_id]))
            break
    drilled = [name for name, entries in contents.items() if is_drilled(entries)]
    told = [drill for drill in map(backups.drilled, drilled) if drill is not None and drill["ok"]]
    if told:
        latest = max(_instant(drill["at"]) for drill in told)
        yield Sample("barograph_drill_last_success_timestamp_seconds", latest.timestamp())


def collect(settings: Settings, store: StoreReader | BarographError | None) -> list[Sample]:
    """Every sample that can be had now; what cannot be reached is absent, and `barograph_up` says whether the store is.

    `store`: None where there is no record yet, the error where it could not be opened.
    """
    samples: list[Sample] = []
    up = not isinstance(store, BarographError)
    if store is not None and not isinstance(store, BarographError):
        try:
            samples += of_store(store)
        except BarographError:
            samples, up = [], False
    samples.append(Sample("barograph_up", float(up)))
    samples += of_replica(settings.store_url)
    # Where they cannot be listed they are absent, for which there is an alert rule; the reason is `backup list`'s.
    with suppress(BarographError):
        samples += of_backups(settings.backup_url)
    return [*samples, Sample("barograph_disk_free_bytes", free_bytes(settings.data_dir))]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
