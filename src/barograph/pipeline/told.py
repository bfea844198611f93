"""Reports in one line each, for a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barograph.model import RunReport, SyncReport


def told_sync(sync: SyncReport) -> str:
    """What one connection's sync did."""
    seconds = (sync.finished - sync.started).total_seconds()
    what = {
        "landed": f"landed {sync.records:,} record{'s' * (sync.records != 1)} ({sync.bytes:,} bytes)",
        "unchanged": "unchanged",
        "skipped": "skipped: it is under way in another process",
    }.get(sync.status, f"{sync.status}: {sync.error}")
    return f"{sync.connection}: {what}, {seconds:.1f} s"


def told_run(report: RunReport) -> str:
    """What a run came to."""
    counts = report.reports
    told = ", ".join(f"{getattr(counts, name):,} {name}" for name in ("new", "changed", "unchanged", "rejected"))
    seconds = (report.finished - report.started).total_seconds()
    return f"run {report.run_id} {report.status} in {seconds:.1f} s: {told}"
