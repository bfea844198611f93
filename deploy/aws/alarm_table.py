"""The alarms as a table: what is watched, from which value, and what then is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from deploy.aws import metrics
from deploy.aws.metrics import NAMESPACE, Watched
from deploy.aws.settings import GIB, Settings

DOCDB: Final = "AWS/DocDB"
SQS: Final = "AWS/SQS"
MINUTE: Final = 60
HOUR: Final = 3600
NIGHTLY_HOURS: Final = 12
"""Half a day: what a good night leaves behind is younger when it is measured, what the night before left is older."""
ON_END: Final = 26
"""Hours on end without a good value: a day, and two hours for a night that takes longer than the one before."""

Silence = Literal["breaching", "notBreaching", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSpec:
    """One alarm: it is raised when `statistic` of the metric is `beyond` the threshold in so many periods on end.

    `silence` is what a period without any value counts as; with "ignore" the alarm stays as it is until the next value.
    """

    name: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...] = ()
    statistic: Literal["Maximum", "Minimum"] = "Maximum"
    beyond: Literal[">=", "<=", ">", "<"]
    threshold: float
    unit: str = ""
    period_seconds: int
    periods: int
    silence: Silence
    meaning: str
    cure: str

    @property
    def reach(self) -> str:
        """Over what time, in words."""
        seconds = self.period_seconds * self.periods
        return f"{seconds // HOUR} h" if seconds >= HOUR else f"{seconds // MINUTE} min"


def alarms(settings: Settings) -> tuple[AlarmSpec, ...]:
    """Every alarm of the stack."""
    return (*_of_ages(settings), *_of_nights(), *_of_starts(settings), *_of_cluster(settings))


def _of_ages(settings: Settings) -> tuple[AlarmSpec, ...]:
    """What has not happened for too long. The values come once a night, so that silence is the worst of them."""

    def age(name: str, watched: Watched, hours: float, meaning: str, cure: str) -> AlarmSpec:
        return AlarmSpec(
            name=name,
            namespace=NAMESPACE,
            metric=watched.name,
            dimensions=watched.dimensions,
            beyond=">",
            threshold=hours,
            unit="h",
            period_seconds=HOUR,
            periods=ON_END,
            silence="breaching",
            meaning=meaning,
            cure=cure,
        )

    ages = [
        age(
            "no-success",
            metrics.RUN_AGE,
            NIGHTLY_HOURS,
            "no run has ended well for a day, or nobody has looked",
            "the task's log in CloudWatch, then `barograph status`",
        ),
        age(
            "no-backup",
            metrics.BACKUP_AGE,
            NIGHTLY_HOURS,
            "no backup was taken for a day",
            "the task's log, then run the task `nightly` by hand",
        ),
        age(
            "freshness",
            metrics.STATION_AGE,
            settings.freshness_hours,
            f"a station has sent nothing for {settings.freshness_hours} hours, or nobody has looked",
            "`barograph status` names it",
        ),
    ]
    if settings.drill:
        ages.append(
            age(
                "no-drill",
                metrics.DRILL_AGE,
                settings.drill_alarm_days * 24,
                f"no backup was restored and proven for {settings.drill_alarm_days} days",
                "the task's log, then run the task `drill` by hand",
            )
        )
    return tuple(ages)


def _of_nights() -> tuple[AlarmSpec, ...]:
    """What a night has found. Until the next one has looked, it is taken to be still so."""

    def state(name: str, watched: Watched, meaning: str, cure: str, *, good: bool = False) -> AlarmSpec:
        return AlarmSpec(
            name=name,
            namespace=NAMESPACE,
            metric=watched.name,
            dimensions=watched.dimensions,
            statistic="Minimum" if good else "Maximum",
            beyond="<" if good else ">=",
            threshold=1,
            period_seconds=HOUR,
            periods=1,
            silence="ignore",
            meaning=meaning,
            cure=cure,
        )

    return (
        state("store-down", metrics.UP, "the cluster could not be read", "`barograph doctor`", good=True),
        state(
            "failed-connections",
            metrics.FAILING_CONNECTIONS,
            "the last sync of a connection failed",
            "`barograph status` names it",
        ),
        state(
            "failed-objects",
            metrics.FAILED_OBJECTS,
            "a landed object cannot be read",
            "`barograph logs --type error --run last`",
        ),
        state(
            "rejections",
            metrics.REJECTED,
            "the last run rejected rows",
            "`barograph logs --type error --run last --limit 0`",
        ),
    )


def dead_letters(settings: Settings) -> str:
    """The name of the queue of starts that EventBridge has given up."""
    return f"{settings.name}-not-started"


def _of_starts(settings: Settings) -> tuple[AlarmSpec, ...]:
    """Starts that never became a task, which no event of a task tells. On EC2 systemd starts the job."""
    if settings.runner != "fargate":
        return ()
    return (
        AlarmSpec(
            name="not-started",
            namespace=SQS,
            metric="ApproximateNumberOfMessagesVisible",
            dimensions=(("QueueName", dead_letters(settings)),),
            beyond=">=",
            threshold=1,
            period_seconds=5 * MINUTE,
            periods=1,
            silence="notBreaching",
            meaning="EventBridge has given up to start a task",
            cure="the message in the queue says why; `aws sqs purge-queue` when it is mended",
        ),
    )


def _of_cluster(settings: Settings) -> tuple[AlarmSpec, ...]:
    """The cluster's own metrics, which come each minute."""

    def cluster(
        name: str,
        metric: str,
        beyond: Literal[">", "<"],
        threshold: float,
        unit: str,
        meaning: str,
        cure: str,
        *,
        hourly: bool = False,
    ) -> AlarmSpec:
        return AlarmSpec(
            name=name,
            namespace=DOCDB,
            metric=metric,
            dimensions=(("DBClusterIdentifier", settings.name),),
            statistic="Maximum" if beyond == ">" else "Minimum",
            beyond=beyond,
            threshold=threshold,
            unit=unit,
            period_seconds=HOUR if hourly else 5 * MINUTE,
            periods=1 if hourly else 3,
            silence="notBreaching",
            meaning=meaning,
            cure=cure,
        )

    return (
        cluster(
            "replica-lag",
            "DBClusterReplicaLagMaximum",
            ">",
            10_000,
            "ms",
            "a replica is more than 10 s behind",
            "look for a long write; a larger class if it comes again",
        ),
        cluster(
            "cpu",
            "CPUUtilization",
            ">",
            80,
            "%",
            "an instance is busy above 80 %",
            "the profiler's log group names the slow operations",
        ),
        cluster(
            "memory",
            "FreeableMemory",
            "<",
            settings.freeable_memory_alarm,
            "GiB",
            "less than a tenth of an instance's memory is free",
            "a larger `instance_class`",
        ),
        cluster(
            "connections",
            "DatabaseConnections",
            ">",
            settings.connections_alarm,
            "",
            "four fifths of an instance's connections are taken",
            "find the client that does not close, or a larger `instance_class`",
        ),
        cluster(
            "volume",
            "VolumeBytesUsed",
            ">",
            settings.volume_alarm_gib * GIB,
            "GiB",
            "the volume is larger than planned",
            "raise `volume_alarm_gib`, or look what grew",
            hourly=True,
        ),
    )
