"""The syncs in a run's report as both engines keep it: JSON-ready dictionaries -> entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from barograph.model import SyncReport
from barograph.store.base import SyncEntry

SYNC_FIELDS: Final = (
    "connection",
    "stream",
    "status",
    "started",
    "finished",
    "records",
    "bytes",
    "generation",
    "error",
)
"""What is kept of a `SyncReport` here; `objects` may be many."""


def sync_entries(
    run_id: str, command: str, reports: Sequence[dict[str, Any]], connection: str | None
) -> Iterator[SyncEntry]:
    """The syncs of one run, of one connection or of all."""
    for report in reports:
        if connection is None or report["connection"] == connection:
            known: dict[str, Any] = {name: report[name] for name in SYNC_FIELDS if name in report}
            known |= {name: datetime.fromisoformat(known[name]) for name in ("started", "finished")}
            yield SyncEntry(run_id, command, SyncReport(**known))
