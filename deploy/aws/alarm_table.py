"""The alarms as a table: what is watched, from which value, and what then is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from deploy.aws.metrics import BACKUP_SUCCESS, FAILED_OBJECTS, FRESHNESS, NAMESPACE, RUN_SUCCESS
from deploy.aws.settings import GIB, Settings

DOCDB: Final = "AWS/DocDB"
HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """One alarm: it is raised when `statistic` of the metric is `beyond` the threshold in so many periods on end.

    `silence` is what a period without any value counts as.
    """

    name: str
    namespace: str
    metric: str
    statistic: str
    beyond: Literal[">=", "<=", ">", "<"]
    threshold: float
    period_seconds: int
    periods: int
    silence: Literal["breaching", "notBreaching"]
    meaning: str
    cure: str

    @property
    def reach(self) -> str:
        """Over what time, in words."""
        seconds = self.period_seconds * self.periods
        return f"{seconds // HOUR} h" if seconds >= HOUR else f"{seconds // 60} min"


def alarms(settings: Settings) -> tuple[AlarmSpec, ...]:
    """Every alarm of the stack.

    A metric of the job comes once a night: a day and two hours without it is a night that failed, or did not happen.
    """
    quarter = (300, 3)
    return (
        AlarmSpec(
            "no-success",
            NAMESPACE,
            RUN_SUCCESS.name,
            "Maximum",
            "<",
            1,
            HOUR,
            26,
            "breaching",
            "no run of the job has succeeded",
            "the task's log in CloudWatch, then `barograph status`",
        ),
        AlarmSpec(
            "no-backup",
            NAMESPACE,
            BACKUP_SUCCESS.name,
            "Maximum",
            "<",
            1,
            HOUR,
            26,
            "breaching",
            "no backup was taken",
            "the task's log, then run the task `nightly` by hand",
        ),
        AlarmSpec(
            "freshness",
            NAMESPACE,
            FRESHNESS.name,
            "Maximum",
            ">",
            36 * HOUR,
            24 * HOUR,
            1,
            "breaching",
            "a station has sent nothing for 36 hours, or nobody has looked",
            "`barograph status` names it",
        ),
        AlarmSpec(
            "failed-objects",
            NAMESPACE,
            FAILED_OBJECTS.name,
            "Maximum",
            ">=",
            1,
            HOUR,
            1,
            "notBreaching",
            "a landed object cannot be read",
            "`barograph logs --type error --run last`",
        ),
        AlarmSpec(
            "replica-lag",
            DOCDB,
            "DBClusterReplicaLagMaximum",
            "Maximum",
            ">",
            10_000,
            *quarter,
            "notBreaching",
            "a replica is more than 10 s behind",
            "look for a long write; a larger class if it comes again",
        ),
        AlarmSpec(
            "cpu",
            DOCDB,
            "CPUUtilization",
            "Maximum",
            ">",
            80,
            *quarter,
            "notBreaching",
            "an instance is busy above 80 %",
            "the profiler's log group names the slow operations",
        ),
        AlarmSpec(
            "memory",
            DOCDB,
            "FreeableMemory",
            "Minimum",
            "<",
            settings.freeable_memory_alarm,
            *quarter,
            "notBreaching",
            "less than a tenth of an instance's memory is free",
            "a larger `instance_class`",
        ),
        AlarmSpec(
            "connections",
            DOCDB,
            "DatabaseConnections",
            "Maximum",
            ">",
            settings.connections_alarm,
            *quarter,
            "notBreaching",
            "four fifths of an instance's connections are taken",
            "find the client that does not close, or a larger `instance_class`",
        ),
        AlarmSpec(
            "volume",
            DOCDB,
            "VolumeBytesUsed",
            "Maximum",
            ">",
            settings.volume_alarm_gib * GIB,
            HOUR,
            1,
            "notBreaching",
            "the volume is larger than planned",
            "raise `volume_alarm_gib`, or look what grew",
        ),
    )
