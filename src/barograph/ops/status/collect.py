"""Looking: at the store, its replica set, the backups and the disk, all at once and each within bounds.

However long the record is, the store is asked for the last run, the syncs of 30 days, the failed objects, the stations'
summaries and the instants of nine days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from barograph.errors import BarographError
from barograph.model import utc_now
from barograph.ops.backup.catalogue import Backups, instant_of, is_drilled, open_backups
from barograph.ops.bounded import at_once
from barograph.ops.disk import free_bytes
from barograph.ops.status.model import Kept, StationRow, Status
from barograph.ops.status.problems import DRILL_AGE, SILENT_AFTER, is_late, problems_of
from barograph.query.history import History, histories
from barograph.query.overview import rows_of
from barograph.query.recent import Recent, recent
from barograph.store import open_reader, redact

if TYPE_CHECKING:
    from barograph.config import Settings
    from barograph.store.base import StoredStation

PATIENCE: Final = 3.0
"""Seconds for one question to a server."""
LONGEST: Final = 12.0
"""Seconds for all questions to one place: up to four at a replica set, one after the other."""


@dataclass(slots=True)
class _Stored:
    """What the store says."""

    url: str
    last_run: dict[str, Any] | None = None
    histories: dict[str, History] = field(default_factory=dict)
    stations: list[StoredStation] = field(default_factory=list)
    recent: dict[str, Recent] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def collect(
    settings: Settings, *, prefix: str = "barograph", max_age: timedelta | None = None, patience: float = PATIENCE
) -> Status:
    """Look at everything; what cannot be reached is named, and the rest is told all the same.

    `prefix` begins the commands that mend things. `max_age`: how old a station's last report may be; None: 36 hours
    where a connection is synced by a schedule, otherwise any age.
    """
    now = utc_now()
    found = Status(now, redact(settings.store_url), settings.landing_url)
    answers = at_once(_questions(settings, now, patience), LONGEST)
    found.unreached = {name: answer for name, answer in answers.items() if isinstance(answer, BarographError)}
    given = cast("dict[str, Any]", {name: answer for name, answer in answers.items() if name not in found.unreached})
    stored: _Stored = given.get("store") or _Stored(found.store)
    found.store, found.last_run, found.failed_objects = stored.url, stored.last_run, stored.failed
    found.replica, found.backups = given.get("replica set"), given.get("backups")
    found.connections = rows_of(settings, stored.histories, now)
    found.late = frozenset(row.name for row in found.connections if is_late(row, now))
    begun = [entry.sync.started for history in stored.histories.values() for entry in history.entries]
    found.since = min(begun, default=None)
    limit = max_age
    if limit is None and any(row.schedule is not None and row.enabled for row in found.connections):
        limit = SILENT_AFTER
    found.stations = [_row(item, stored.recent, now, limit) for item in stored.stations]
    found.free_bytes = free_bytes(settings.data_dir)
    found.problems = problems_of(found, prefix)
    return found


def _questions(settings: Settings, now: datetime, patience: float) -> Mapping[str, Callable[[], object]]:
    asked: dict[str, Callable[[], object]] = {"backups": partial(backups_kept, settings, patience)}
    url = settings.store_url
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or path.exists():
        asked["store"] = partial(_stored, settings, now, patience)
    if url.startswith("mongodb"):
        from barograph.ops.replica import replica_status

        asked["replica set"] = partial(replica_status, url, patience=patience)
    return asked


def _stored(settings: Settings, now: datetime, patience: float) -> _Stored:
    with closing(open_reader(settings.store_url, patience=patience)) as store:
        stations = store.stations()
        return _Stored(
            store.url,
            next(iter(store.runs(1)), None),
            histories(store, settings.connections, now),
            stations,
            recent(store, stations, now, settings.intervals),
            {key: entry.error or "" for key, entry in store.objects(status="failed").items()},
        )


def _row(item: StoredStation, known: Mapping[str, Recent], now: datetime, limit: timedelta | None) -> StationRow:
    last = item.summary.last
    silent = last is None or (limit is not None and now - last > limit)
    return StationRow(item, known.get(item.station.station_id, Recent()), silent)


def backups_kept(settings: Settings, patience: float) -> Kept:
    """What lies in the place of the backups. Raises BackupError where it cannot be listed."""
    url = settings.backup_url
    if url == str(settings.data_dir / "backups") and not Path(url).exists():
        return Kept(url)
    backups = open_backups(url, patience=patience, make=False)
    contents = backups.whole()
    drilled = [name for name, entries in contents.items() if is_drilled(entries)]
    last = max(contents, default=None)
    good, bad = _drills(backups, sorted(drilled, reverse=True))
    return Kept(backups.url, len(contents), None if last is None else instant_of(last), good, bad)


def _drills(backups: Backups, newest_first: list[str]) -> tuple[datetime | None, datetime | None]:
    """When the last drill succeeded; and failed, where that was later."""
    good: datetime | None = None
    bad: datetime | None = None
    for backup_id in newest_first:
        told = backups.drilled(backup_id)
        if told is None:
            continue
        at = datetime.fromisoformat(told["at"])
        if told["ok"]:
            good = max(at, good or at)
            # A drill is of the newest backup as a rule: what lies further back was drilled before.
            if utc_now() - good < DRILL_AGE:
                break
        else:
            bad = max(at, bad or at)
    return good, bad if bad is not None and (good is None or bad > good) else None
