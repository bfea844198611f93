"""The state of each connection, from the configuration and the stored run reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from barograph.model import iso
from barograph.query.history import NOTHING, History
from barograph.sources.masking import mask

if TYPE_CHECKING:
    from barograph.config import Connection, Schedule, Settings
    from barograph.model import SyncReport


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A connection as an operator sees it."""

    connection: Connection
    destination: str
    """The folder of the landing zone; of several streams as `zone/{one,other}`."""
    schedule: Schedule | None
    next_due: datetime | None
    history: History

    @property
    def name(self) -> str:
        """Its name."""
        return self.connection.name

    @property
    def enabled(self) -> bool:
        """Whether run, sync and the scheduler take it."""
        return self.connection.enabled

    @property
    def last(self) -> SyncReport | None:
        """Its newest sync."""
        return None if self.history.last is None else self.history.last.sync

    @property
    def last_sync(self) -> datetime | None:
        """When that ended."""
        return None if self.last is None else self.last.finished

    @property
    def state(self) -> str:
        """What that did: never, landed, unchanged, failed or stopped."""
        return "never" if self.last is None else self.last.status

    @property
    def error(self) -> str | None:
        """Why it failed."""
        return None if self.last is None else self.last.error

    @property
    def format(self) -> str:
        """What is landed, as the object's extension."""
        connection = self.connection
        return connection.format + (".gz" if connection.compression == "gzip" else "")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        connection, last = self.connection, self.last
        return {
            "name": self.name,
            "source": connection.source,
            "url": mask(connection.url),
            "destination": self.destination,
            "stream": connection.stream,
            "streams": list(connection.folders),
            "format": connection.format,
            "compression": connection.compression,
            "frequency": connection.schedule,
            "next_due": None if self.next_due is None else iso(self.next_due),
            "tags": list(connection.tags),
            "enabled": self.enabled,
            "last_sync": None if last is None else iso(last.finished),
            "seconds": None if last is None else round((last.finished - last.started).total_seconds(), 3),
            "records": None if last is None else last.records,
            "bytes": None if last is None else last.bytes,
            "state": self.state,
            "error": self.error,
            "health": self.history.as_dict(),
        }


def rows_of(settings: Settings, found: Mapping[str, History], now: datetime) -> list[ConnectionRow]:
    """The configured connections with their histories."""
    base = settings.landing_url.rstrip("/")
    root = f"{base}/{settings.landing_prefix}" if settings.landing_prefix else base
    rows = []
    for connection in settings.connections.values():
        schedule = settings.schedule(connection)
        due = schedule.next_after(now) if schedule is not None and connection.enabled else None
        folders = connection.folders
        place = folders[0] if len(folders) == 1 else f"{{{','.join(folders)}}}"
        rows.append(ConnectionRow(connection, f"{root}/{place}", schedule, due, found.get(connection.name, NOTHING)))
    return rows
