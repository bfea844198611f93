"""What is wrong with what was found, and the command that mends it. The limits are those of the alert rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from barograph.ops.status.model import Problem, StationRow, Status

if TYPE_CHECKING:
    from barograph.query.overview import ConnectionRow

SILENT_AFTER: Final = timedelta(hours=36)
BACKUP_AGE: Final = timedelta(hours=50)
DRILL_AGE: Final = timedelta(days=15)
LEAST_FREE: Final = 2_000_000_000
NAMED: Final = 5
"""So many stations, or connections that were never synced, are named one by one; of more, the first few."""


def problems_of(found: Status, prefix: str) -> list[Problem]:
    """Everything, what is worst first."""
    return [
        *_of_places(found, prefix),
        *_of_run(found, prefix),
        *_of_connections(found, prefix),
        *_of_record(found, prefix),
        *_of_backups(found, prefix),
        *_of_disk(found, prefix),
    ]


def _of_places(found: Status, prefix: str) -> Iterator[Problem]:
    for name, error in found.unreached.items():
        mend = {"store": "doctor", "replica set": "replica status", "backups": "backup list"}[name]
        place = f" {error.where}" if error.where and error.where != name else ""
        yield Problem(f"{name}{place}: {error.what}", f"{prefix} {mend}")
    replica = found.replica
    if replica is not None and replica.verdict != "healthy" and replica.kind != "standalone":
        reasons = "; ".join(replica.reasons)
        yield Problem(f"the replica set is {_verdict(replica.verdict)}: {reasons}", f"{prefix} replica status")


def _verdict(word: str) -> str:
    return "without a primary" if word == "no primary" else word


def _of_run(found: Status, prefix: str) -> Iterator[Problem]:
    run = found.last_run
    if run is None:
        if "store" not in found.unreached:
            yield Problem("no run yet", f"{prefix} run")
        return
    if run["rejections_total"] and run["status"] != "done":
        rows, entries = run["reports"]["rejected"], run["rejections_total"]
        what = f"{rows:,} row{'s' * (rows != 1)}" if rows else "values"
        told = f"the last run rejected {what} ({entries:,} entr{'y' if entries == 1 else 'ies'} in the log)"
        # What an earlier run has logged of the same content stands under that run.
        only = "" if run["command"] == "rebuild" else " --run last"
        yield Problem(told, f"{prefix} logs --type error{only} --limit 0")


def _of_connections(found: Status, prefix: str) -> Iterator[Problem]:
    for row in found.connections:
        again = f"{prefix} run {row.name}"
        if not row.enabled or "store" in found.unreached:
            continue
        if row.state == "failed":
            yield Problem(f"connection {row.name} failed: {row.error}", again)
        elif row.last is None:
            if found.last_run is not None:
                yield Problem(f"connection {row.name} was never synced", again)
        elif row.name in found.late:
            yield Problem(f"connection {row.name} is late: {_late(row, found.now)}", again)


def is_late(row: ConnectionRow, now: datetime) -> bool:
    """Whether a sync is overdue."""
    if row.schedule is None or row.last is None or not row.enabled:
        return False
    return now > row.schedule.late_after(row.last.started)


def _late(row: ConnectionRow, now: datetime) -> str:
    frequency = row.connection.schedule
    told = frequency if frequency == "daily" else f"scheduled as {frequency!r}"
    return f"it is {told}, and its last sync was {ago(row.last_sync or now, now)}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago: `12 min ago`."""
    seconds = (now - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit} ago"
    return "just now"


def _of_record(found: Status, prefix: str) -> Iterator[Problem]:
    if found.failed_objects:
        count = len(found.failed_objects)
        yield Problem(f"{count} landed object{'s' * (count > 1)} cannot be read", f"{prefix} ingest")
    empty = [row for row in found.stations if row.last is None]
    silent = sorted((row for row in found.stations if row.silent and row.last is not None), key=_last)
    for row in empty[:NAMED]:
        yield Problem(f"station {row.station_id} has no reports", f"{prefix} connections")
    if len(empty) > NAMED:
        more = len(empty) - NAMED
        word = "station has" if more == 1 else "stations have"
        yield Problem(f"{more:,} more {word} no reports", f"{prefix} stations")
    for row in silent[:NAMED]:
        hours = (found.now - _last(row)) / timedelta(hours=1)
        yield Problem(f"station {row.station_id}: the last report is {hours:,.0f} h old", f"{prefix} run")
    if len(silent) > NAMED:
        hours = (found.now - _last(silent[-1])) / timedelta(hours=1)
        more = len(silent) - NAMED
        word = "station" if more == 1 else "stations"
        yield Problem(f"{more:,} more {word}: the last report is {hours:,.0f} h old or older", f"{prefix} status --all")


def _last(row: StationRow) -> datetime:
    return row.last or datetime.max.replace(tzinfo=UTC)


def _of_backups(found: Status, prefix: str) -> Iterator[Problem]:
    kept = found.backups
    if kept is None:
        return
    create, drill = f"{prefix} backup create", f"{prefix} backup drill"
    if kept.last is None:
        # A record of today need not have one yet.
        if found.since is not None and found.now - found.since > BACKUP_AGE:
            yield Problem(f"there is no backup in {kept.url}", create)
        return
    if found.now - kept.last > BACKUP_AGE:
        yield Problem(f"the last backup was made {ago(kept.last, found.now)}", create)
    if kept.drill_failed is not None:
        yield Problem(f"the last restore drill failed, {ago(kept.drill_failed, found.now)}", drill)
    elif kept.drilled is not None and found.now - kept.drilled > DRILL_AGE:
        yield Problem(f"the last successful restore drill was {ago(kept.drilled, found.now)}", drill)


def _of_disk(found: Status, prefix: str) -> Iterator[Problem]:
    if found.free_bytes < LEAST_FREE:
        yield Problem(f"only {found.free_bytes / 1e9:.1f} GB are free for the data folder", f"{prefix} backup prune")
