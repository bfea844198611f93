"""The metrics that alarms and dashboard watch, of those that `barograph metrics --emf` writes (docs/metrics.md).

barograph itself is not installed where the CDK is, so the names stand here once more; the tests hold each against the
registry, and against what a night writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "barograph"


@dataclass(frozen=True, slots=True)
class Watched:
    """One series: a metric and its dimensions by name. Without any it is the value over all."""

    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """As a graph calls it."""
        return " ".join((self.name.removeprefix("barograph_"), *(value for _, value in self.dimensions)))


UP: Final = Watched("barograph_up")
RUN_AGE: Final = Watched("barograph_run_last_success_age_hours", (("command", "run"),))
BACKUP_AGE: Final = Watched("barograph_backup_last_success_age_hours")
DRILL_AGE: Final = Watched("barograph_drill_last_success_age_hours")
STATION_AGE: Final = Watched("barograph_station_last_report_age_hours")
STATIONS: Final = Watched("barograph_stations")
SILENT: Final = Watched("barograph_stations_silent")
REPORTS: Final = Watched("barograph_station_reports")
NEW, CHANGED, REJECTED = (
    Watched("barograph_run_reports", (("fate", fate),)) for fate in ("new", "changed", "rejected")
)
FAILED_OBJECTS: Final = Watched("barograph_failed_objects")
FAILING_CONNECTIONS: Final = Watched("barograph_connection_failing")
RUN_SECONDS: Final = Watched("barograph_run_duration_seconds")
STORE_WAIT: Final = Watched("barograph_run_store_wait_seconds")
ACCESS_TIME: Final = Watched("barograph_access_time_seconds")

WATCHED: Final = (
    *(UP, RUN_AGE, BACKUP_AGE, DRILL_AGE, STATION_AGE, STATIONS, SILENT, REPORTS, NEW, CHANGED, REJECTED),
    *(FAILED_OBJECTS, FAILING_CONNECTIONS, RUN_SECONDS, STORE_WAIT, ACCESS_TIME),
)
