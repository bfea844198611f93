"""The state of each connection, from the configuration and the stored run reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from barograph.model import iso

if TYPE_CHECKING:
    from barograph.config import Settings
    from barograph.faces.cli.command import App
    from barograph.store.base import StoreReader

RECENT_RUNS: Final = 50


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A connection as an operator sees it. `state` is never, landed, unchanged or failed."""

    name: str
    source: str
    destination: str
    stream: str
    frequency: str
    tags: tuple[str, ...]
    enabled: bool
    last_sync: datetime | None
    state: str
    error: str | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {
            "tags": list(self.tags),
            "last_sync": None if self.last_sync is None else iso(self.last_sync),
        }


def connection_rows(app: App) -> list[ConnectionRow]:
    """The configured connections, in the file's order."""
    if not app.has_store():
        return rows_of(app.settings, {})
    with app.store() as store:
        return rows_of(app.settings, last_syncs(store, app.settings.connections))


def last_syncs(store: StoreReader, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The last sync report of each connection; all runs are read only where the recent ones do not name each."""
    wanted = set(names)
    found: dict[str, dict[str, Any]] = {}
    for limit in (RECENT_RUNS, 0):
        runs = store.runs(limit)
        for run in runs:
            for report in run.get("connections", ()):
                found.setdefault(report["connection"], report)
        if wanted <= found.keys() or len(runs) < RECENT_RUNS:
            break
    return found


def rows_of(settings: Settings, syncs: dict[str, dict[str, Any]]) -> list[ConnectionRow]:
    """The configured connections with their last sync reports."""
    base = settings.landing_url.rstrip("/")
    root = f"{base}/{settings.landing_prefix}" if settings.landing_prefix else base
    rows = []
    for connection in settings.connections.values():
        last = syncs.get(connection.name)
        rows.append(
            ConnectionRow(
                name=connection.name,
                source=connection.source,
                destination=f"{root}/{connection.stream}",
                stream=connection.stream,
                frequency=connection.schedule,
                tags=connection.tags,
                enabled=connection.enabled,
                last_sync=None if last is None else datetime.fromisoformat(last["finished"]),
                state="never" if last is None else last["status"],
                error=None if last is None else last["error"],
            )
        )
    return rows
