"""The custom metrics of the job, as CloudWatch names them: one place, until barograph has a registry of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "barograph"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name, CloudWatch's unit, the statistic that is shown, what it means, and its dimension if any.

    A metric with a dimension is also written without it, so that one alarm can watch the worst of all.
    """

    name: str
    unit: str
    statistic: str
    meaning: str
    dimension: str | None = None


RUN_SUCCESS: Final = Metric("run_success", "Count", "Maximum", "1: the run ended with 0 or 3; 0: it failed")
BACKUP_SUCCESS: Final = Metric("backup_success", "Count", "Maximum", "1: the backup was taken; 0: it was not")
RUN_SECONDS: Final = Metric("run_duration_seconds", "Seconds", "Maximum", "how long the run took")
REPORTS_NEW: Final = Metric("reports_new", "Count", "Maximum", "reports that the run added")
REPORTS_CHANGED: Final = Metric("reports_changed", "Count", "Maximum", "reports that the run changed")
REJECTIONS: Final = Metric("rows_rejected", "Count", "Maximum", "rows that the run rejected")
FAILED_OBJECTS: Final = Metric("objects_failed", "Count", "Maximum", "landed objects that could not be read")
FAILED_CONNECTIONS: Final = Metric("connections_failed", "Count", "Maximum", "connections that could not be synced")
FRESHNESS: Final = Metric(
    "station_freshness_seconds", "Seconds", "Maximum", "age of a station's last report after the run", "station"
)
ACCESS_TIME: Final = Metric(
    "access_time_ms", "Milliseconds", "Maximum", "median time until a day of the freshest station is at hand"
)

METRICS: Final = (
    RUN_SUCCESS,
    BACKUP_SUCCESS,
    RUN_SECONDS,
    REPORTS_NEW,
    REPORTS_CHANGED,
    REJECTIONS,
    FAILED_OBJECTS,
    FAILED_CONNECTIONS,
    FRESHNESS,
    ACCESS_TIME,
)
