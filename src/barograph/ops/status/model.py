"""What was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from barograph.errors import BarographError
from barograph.model import iso
from barograph.query.recent import Recent

if TYPE_CHECKING:
    from barograph.ops.replica import ReplicaStatus
    from barograph.query.overview import ConnectionRow
    from barograph.store.base import StoredStation


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and the command that mends it or tells more."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class StationRow:
    """A station's freshness and completeness. `silent`: its last report is older than it may be, or it has none."""

    stored: StoredStation
    recent: Recent
    silent: bool = False

    @property
    def station_id(self) -> str:
        """Its id."""
        return self.stored.station.station_id

    @property
    def last(self) -> datetime | None:
        """Its last report."""
        return self.stored.summary.last

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """JSON-ready."""
        last, age = self.last, None
        if last is not None:
            age = round((now - last) / timedelta(hours=1), 1)
        return {
            "station_id": self.station_id,
            "reports": self.stored.summary.count,
            "last": None if last is None else iso(last),
            "age_hours": age,
            "silent": self.silent,
            "completeness_yesterday": self.recent.yesterday,
            "completeness_7d": self.recent.week,
        }


@dataclass(frozen=True, slots=True)
class Kept:
    """What the place of the backups holds: the newest whole one, and when one was last restored with success."""

    url: str
    count: int = 0
    last: datetime | None = None
    drilled: datetime | None = None
    drill_failed: datetime | None = None
    """When the newest backup that was drilled failed that; None where it did not."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        instants = {name: getattr(self, name) for name in ("last", "drilled", "drill_failed")}
        return {"url": self.url, "count": self.count} | {
            name: None if instant is None else iso(instant) for name, instant in instants.items()
        }


@dataclass(slots=True)
class Status:
    """What was found. result: ok, attention (something is wrong), failed (the last run did nothing).

    `unreached`: what gave no answer, by its name ("store", "replica set", "backups"), and why.
    """

    now: datetime
    store: str
    landing: str
    last_run: dict[str, Any] | None = None
    since: datetime | None = None
    """When the oldest sync began that is known of."""
    connections: list[ConnectionRow] = field(default_factory=list)
    late: frozenset[str] = frozenset()
    """The connections whose sync is overdue."""
    stations: list[StationRow] = field(default_factory=list)
    failed_objects: dict[str, str] = field(default_factory=dict)
    replica: ReplicaStatus | None = None
    backups: Kept | None = None
    free_bytes: int = 0
    unreached: dict[str, BarographError] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def result(self) -> str:
        """The verdict in a word."""
        if "store" in self.unreached or (self.last_run is not None and self.last_run["status"] == "failed"):
            return "failed"
        return "attention" if self.problems else "ok"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "result": self.result,
            "store": self.store,
            "landing": self.landing,
            "last_run": self.last_run,
            "connections": [row.as_dict() | {"late": row.name in self.late} for row in self.connections],
            "stations": [row.as_dict(self.now) for row in self.stations],
            "failed_objects": self.failed_objects,
            "replica": None if self.replica is None else self.replica.as_dict(),
            "backups": None if self.backups is None else self.backups.as_dict(),
            "free_bytes": self.free_bytes,
            "unreached": {name: str(error) for name, error in self.unreached.items()},
            "problems": [asdict(problem) for problem in self.problems],
        }
