"""The dashboard: what the brief asks of the cluster, and what the job says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from deploy.aws.alarm_table import DOCDB
from deploy.aws.database import Database
from deploy.aws.metrics import (
    ACCESS_TIME,
    FAILED_CONNECTIONS,
    FAILED_OBJECTS,
    FRESHNESS,
    NAMESPACE,
    REJECTIONS,
    REPORTS_CHANGED,
    REPORTS_NEW,
    RUN_SECONDS,
    Metric,
)
from deploy.aws.settings import Settings

OF_CLUSTER = {
    "Volume": ("VolumeBytesUsed",),
    "Backups": ("TotalBackupStorageBilled", "SnapshotStorageUsed", "BackupRetentionPeriodStorageUsed"),
    "Replica lag": ("DBClusterReplicaLagMaximum",),
    "I/O of the volume": ("VolumeReadIOPs", "VolumeWriteIOPs"),
}
OF_INSTANCES = {
    "CPU": "CPUUtilization",
    "Freeable memory": "FreeableMemory",
    "Free local storage": "FreeLocalStorage",
    "Connections": "DatabaseConnections",
}
OF_JOB: dict[str, tuple[Metric, ...]] = {
    "Reports per run": (REPORTS_NEW, REPORTS_CHANGED),
    "Rejected rows": (REJECTIONS,),
    "Failed objects and connections": (FAILED_OBJECTS, FAILED_CONNECTIONS),
    "Duration of the run": (RUN_SECONDS,),
    "Access time": (ACCESS_TIME,),
}
NIGHT = Duration.days(1)
FIVE_MINUTES = Duration.minutes(5)


def make_dashboard(
    stack: Stack, settings: Settings, database: Database, alarms: Sequence[cloudwatch.Alarm]
) -> cloudwatch.Dashboard:
    """Alarms on top, then the job, then the cluster."""
    job = [_freshness(settings), *(_job_graph(title, metrics) for title, metrics in OF_JOB.items())]
    cluster = [
        cloudwatch.GraphWidget(
            title=title,
            width=8,
            left=[_docdb(name, "DBClusterIdentifier", database.identifier, name) for name in names],
        )
        for title, names in OF_CLUSTER.items()
    ]
    instances = [
        cloudwatch.GraphWidget(
            title=title,
            width=8,
            left=[_docdb(name, "DBInstanceIdentifier", instance, instance) for instance in database.instances],
        )
        for title, name in OF_INSTANCES.items()
    ]
    return cloudwatch.Dashboard(
        stack,
        "Dashboard",
        dashboard_name=settings.name,
        default_interval=Duration.days(14),
        widgets=[
            [cloudwatch.AlarmStatusWidget(title="Alarms", width=24, height=3, alarms=list(alarms))],
            job,
            [*cluster, *instances],
        ],
    )


def _docdb(name: str, dimension: str, value: str, label: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=DOCDB,
        metric_name=name,
        dimensions_map={dimension: value},
        statistic="Maximum",
        period=FIVE_MINUTES,
        label=label,
    )


def _job_graph(title: str, metrics: Sequence[Metric]) -> cloudwatch.GraphWidget:
    left = [
        cloudwatch.Metric(
            namespace=NAMESPACE, metric_name=item.name, statistic=item.statistic, period=NIGHT, label=item.name
        )
        for item in metrics
    ]
    return cloudwatch.GraphWidget(title=title, width=8, left=left)


def _freshness(settings: Settings) -> cloudwatch.GraphWidget:
    """A line per station, without naming the stations: whichever the job has told of."""
    search = (
        f"SEARCH('{{{NAMESPACE},{FRESHNESS.dimension}}} MetricName=\"{FRESHNESS.name}\"', "
        f"'{FRESHNESS.statistic}', {NIGHT.to_seconds():.0f})"
    )
    return cloudwatch.GraphWidget(
        title="Freshness per station (s)",
        width=8,
        left=[cloudwatch.MathExpression(expression=search, label="", period=NIGHT, search_region=settings.region)],
    )
