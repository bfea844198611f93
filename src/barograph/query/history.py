"""How the syncs of each connection went, from the run reports in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from barograph.model import iso

if TYPE_CHECKING:
    from barograph.store.base import StoreReader, SyncEntry

WINDOWS: Final = {
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""The spans that Airbyte's pages have."""
RECENT: Final = 10
"""Syncs by which a connection's health is told."""
SIGNS: Final = {"landed": "+", "unchanged": "=", "failed": "x", "stopped": "s"}
"""A sync in one character."""

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """The syncs that ended within a span until now. One that was stopped is neither a success nor a failure."""

    syncs: int = 0
    failures: int = 0
    records: int = 0
    bytes: int = 0

    @property
    def success(self) -> float | None:
        """The share of syncs that succeeded; None without any."""
        return None if self.syncs == 0 else (self.syncs - self.failures) / self.syncs

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        share = self.success
        return {
            "syncs": self.syncs,
            "failures": self.failures,
            "success": None if share is None else round(share, 4),
            "records": self.records,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class History:
    """What the store knows of a connection's syncs: the last ones, newest first, and the windows by name.

    Syncs that were skipped, because another process was at it, are left out.
    """

    entries: tuple[SyncEntry, ...]
    windows: dict[str, Window]

    @property
    def last(self) -> SyncEntry | None:
        """The newest sync."""
        return self.entries[0] if self.entries else None

    @property
    def attempted(self) -> datetime | None:
        """When the newest sync began that ended by itself; one that was stopped is still owed."""
        return next((entry.sync.started for entry in self.entries if entry.sync.status != "stopped"), None)

    @property
    def strip(self) -> str:
        """The last syncs in characters (`SIGNS`), the newest to the right."""
        return "".join(SIGNS.get(entry.sync.status, "?") for entry in reversed(self.entries[:RECENT]))

    @property
    def health(self) -> str:
        """Of the last syncs: good (none failed), unsteady (some did), failing (the last one did), unknown."""
        told = [entry.sync.status == "failed" for entry in self.entries[:RECENT] if entry.sync.status != "stopped"]
        if not told:
            return "unknown"
        return "failing" if told[0] else "unsteady" if any(told) else "good"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the entries."""
        return {
            "verdict": self.health,
            "strip": self.strip,
            "windows": {name: window.as_dict() for name, window in self.windows.items()},
        }


def entry_dict(entry: SyncEntry) -> dict[str, Any]:
    """A sync, JSON-ready."""
    sync = entry.sync
    return {
        "run_id": entry.run_id,
        "command": entry.command,
        "status": sync.status,
        "started": iso(sync.started),
        "finished": iso(sync.finished),
        "seconds": round((sync.finished - sync.started).total_seconds(), 3),
        "records": sync.records,
        "bytes": sync.bytes,
        "generation": sync.generation,
        "error": sync.error,
    }


NOTHING: Final = History((), {name: Window() for name in WINDOWS})
"""Of a connection that was never synced."""


def histories(store: StoreReader, names: Iterable[str], now: datetime) -> dict[str, History]:
    """The history of each connection: of the longest window, and of one that has none in it, everything before."""
    wanted = set(names)
    found = _by_connection(store.syncs(now - max(WINDOWS.values())))
    if wanted - found.keys():
        found = _by_connection(store.syncs(_BEGINNING)) | found
    return {name: _history(found.get(name, ()), now) for name in wanted}


def _by_connection(entries: Iterable[SyncEntry]) -> dict[str, list[SyncEntry]]:
    found = defaultdict(list)
    for entry in entries:
        if entry.sync.status != "skipped":
            found[entry.sync.connection].append(entry)
    return {name: sorted(group, key=_ended, reverse=True) for name, group in found.items()}


def _ended(entry: SyncEntry) -> datetime:
    return entry.sync.finished


def _history(entries: Sequence[SyncEntry], now: datetime) -> History:
    windows = {}
    for name, length in WINDOWS.items():
        inside = [e.sync for e in entries if e.sync.finished > now - length and e.sync.status != "stopped"]
        windows[name] = Window(
            len(inside),
            sum(sync.status == "failed" for sync in inside),
            sum(sync.records for sync in inside if sync.status != "unchanged"),
            sum(sync.bytes for sync in inside),
        )
    return History(tuple(entries), windows)
