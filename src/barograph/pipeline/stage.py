"""The sync stage of a run: several connections at once, each alone with itself, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Literal

from barograph.errors import BarographError, LandingError, SyncStopped
from barograph.model import SyncReport, utc_now
from barograph.pipeline.locks import connection_lock
from barograph.pipeline.syncing import stopped, sync_connection
from barograph.pipeline.workers import Done, run_all
from barograph.sources import Access

if TYPE_CHECKING:
    from threading import Semaphore

    from barograph.config import Connection, Settings
    from barograph.landing import LandingZone
    from barograph.pipeline.journal import Journal
    from barograph.pipeline.progress import Progress
    from barograph.pipeline.syncing import SyncRequest


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of the connections, in their order, and the first exception that nobody foresaw.

    A connection that had not begun when the run was stopped has no report: nothing was tried.
    """

    reports: tuple[SyncReport, ...]
    crash: BaseException | None


@dataclass(slots=True)
class Stage:
    """What the syncs of a run share. `slots` are shared with other runs of the process."""

    settings: Settings
    zone: LandingZone
    progress: Progress
    journal: Journal
    request: SyncRequest
    slots: Semaphore | None = None
    _telling: Lock = field(default_factory=Lock)
    _begun: dict[str, datetime] = field(default_factory=dict)

    def sync_all(self, chosen: Sequence[Connection]) -> Synced:
        """Sync the connections, `[sync] concurrency` at once."""
        self.progress.start("sync", 0)
        ended = run_all(
            [partial(self.sync, connection) for connection in chosen],
            concurrency=self.settings.concurrency,
            stop=self.request.stop,
            slots=self.slots,
        )
        reports = [self.report(connection, done) for connection, done in zip(chosen, ended, strict=True)]
        self.progress.finish()
        crash = next((done.error for done in ended if done is not None and done.error is not None), None)
        return Synced(tuple(report for report in reports if report is not None), crash)

    def sync(self, connection: Connection) -> SyncReport:
        """One connection, in a thread of its own."""
        name = connection.name
        started = self._begun[name] = utc_now()
        with self._telling:
            self.progress.item(name)
        try:
            with connection_lock(self.settings.data_dir, name):
                access = Access(self.settings.limits, self.settings.data_dir)
                return sync_connection(self.zone, connection, access, self.journal, self.request)
        except SyncStopped as held:
            self.journal.event("info", f"sync of {name} skipped: {held.what}", connection=name)
            return _ended(connection, "skipped", started, None)
        except LandingError as error:
            told, kind = f"sync of {name} failed: {error}", type(error).__name__
            self.journal.event("error", told, connection=name, retryable=error.retryable, exception=kind)
            return _ended(connection, "failed", started, str(error))

    def report(self, connection: Connection, done: Done[SyncReport] | None) -> SyncReport | None:
        """How one ended; None where it did not begin."""
        started = self._begun.get(connection.name)
        if done is None:
            return None if started is None else _ended(connection, "stopped", started, str(stopped()))
        if done.value is not None or started is None:
            return done.value
        error = done.error
        told = str(error) if isinstance(error, BarographError) else f"internal error: {type(error).__name__}: {error}"
        for secret in connection.secrets:
            told = told.replace(secret, "***")
        name = connection.name
        self.journal.event("error", f"sync of {name} failed: {told}", connection=name, exception=type(error).__name__)
        return _ended(connection, "failed", started, told)


def _ended(
    connection: Connection, status: Literal["failed", "stopped", "skipped"], started: datetime, error: str | None
) -> SyncReport:
    finished = max(started, utc_now())
    return SyncReport(connection.name, ", ".join(connection.folders), status, started, finished, error=error)
