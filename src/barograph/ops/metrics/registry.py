"""Every metric, once: its name, unit, meaning and labels. All are gauges; instants are Unix seconds.

Names follow Prometheus' conventions (base units, a suffix that says which); CloudWatch takes the same names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Unit = Literal["Seconds", "Bytes", "Count", "None"]
"""As CloudWatch calls them."""
Whole = Literal["max", "min", "sum"]
"""How the values of all label sets become one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels` are what tells its series apart.

    `whole`: how the series together make one value, for CloudWatch, whose alarms see one series each: the worst of all
    or their sum; None where such a value would mean nothing, as over commands or fates.
    """

    name: str
    unit: Unit
    help: str
    labels: tuple[str, ...] = ()
    whole: Whole | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric; labels in the metric's order."""

    name: str
    value: float
    labels: tuple[str, ...] = field(default=())


METRICS: Final[tuple[Metric, ...]] = (
    Metric("barograph_up", "None", "1 where the store could be read, else 0; then most others are absent"),
    Metric("barograph_run_last_timestamp_seconds", "Seconds", "when the last run ended", ("command",)),
    Metric(
        "barograph_run_last_success_timestamp_seconds",
        "Seconds",
        "when the last run ended in which nothing failed and nothing was rejected beyond the threshold",
        ("command",),
    ),
    Metric("barograph_run_result", "None", "the last run: 0 done, 1 incomplete, 2 failed"),
    Metric("barograph_run_duration_seconds", "Seconds", "how long the last run took"),
    Metric("barograph_run_reports", "Count", "report rows of the last run by their fate", ("fate",)),
    Metric("barograph_run_failed_connections", "Count", "connections that failed in the last run"),
    Metric("barograph_run_failed_objects", "Count", "objects that could not be read in the last run"),
    Metric("barograph_run_store_wait_seconds", "Seconds", "the longest wait of the last run for a server of the store"),
    Metric("barograph_run_store_retries", "Count", "calls to the store that the last run had to repeat"),
    Metric(
        "barograph_connection_last_success_timestamp_seconds",
        "Seconds",
        "when the last sync of the connection ended that did not fail",
        ("connection",),
        "min",
    ),
    Metric(
        "barograph_connection_failing", "None", "1 where the last sync of the connection failed", ("connection",), "sum"
    ),
    Metric(
        "barograph_connection_records", "Count", "records of the last sync of the connection", ("connection",), "sum"
    ),
    Metric("barograph_connection_duration_seconds", "Seconds", "how long the last sync took", ("connection",), "max"),
    Metric("barograph_failed_objects", "Count", "objects of the landing zone that cannot be read now"),
    Metric("barograph_landed_objects", "Count", "objects of the landing zone that were ingested"),
    Metric("barograph_landed_bytes", "Bytes", "what these measure"),
    Metric(
        "barograph_station_last_report_timestamp_seconds", "Seconds", "the station's last report", ("station",), "min"
    ),
    Metric("barograph_station_reports", "Count", "reports of the station", ("station",), "sum"),
    Metric("barograph_replica_members", "Count", "members of the replica set by state", ("state",)),
    Metric("barograph_replica_lag_seconds", "Seconds", "how far a secondary is behind the primary", ("member",), "max"),
    Metric("barograph_replica_degraded", "None", "0 healthy, 1 degraded, 2 down or unreachable"),
    Metric("barograph_backup_last_success_timestamp_seconds", "Seconds", "when the newest whole backup was taken"),
    Metric("barograph_backup_bytes", "Bytes", "what the newest whole backup measures"),
    Metric("barograph_drill_last_success_timestamp_seconds", "Seconds", "when a backup was last restored and proven"),
    Metric("barograph_disk_free_bytes", "Bytes", "free space where the data folder is"),
    Metric("barograph_access_time_seconds", "Seconds", "median time until a station's newest day is at hand"),
)
BY_NAME: Final = {metric.name: metric for metric in METRICS}
