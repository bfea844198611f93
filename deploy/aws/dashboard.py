"""The dashboard: what the brief asks of the cluster, and what the job says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from deploy.aws import metrics
from deploy.aws.alarm_table import DOCDB
from deploy.aws.database import Database
from deploy.aws.metrics import NAMESPACE, Watched
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
OF_JOB: dict[str, tuple[Watched, ...]] = {
    "Hours since the last good run, backup and drill": (metrics.RUN_AGE, metrics.BACKUP_AGE, metrics.DRILL_AGE),
    "Stations, and those that are silent": (metrics.STATIONS, metrics.SILENT),
    "Reports per run": (metrics.NEW, metrics.CHANGED),
    "Rejected rows": (metrics.REJECTED,),
    "Failed objects and connections": (metrics.FAILED_OBJECTS, metrics.FAILING_CONNECTIONS),
    "Duration of the run, and its longest wait (s)": (metrics.RUN_SECONDS, metrics.STORE_WAIT),
    "Access time (s)": (metrics.ACCESS_TIME,),
    "Reports of the record": (metrics.REPORTS,),
}
NIGHT = Duration.days(1)
FIVE_MINUTES = Duration.minutes(5)


def make_dashboard(
    stack: Stack, settings: Settings, database: Database, alarms: Sequence[cloudwatch.Alarm]
) -> cloudwatch.Dashboard:
    """Alarms on top, then the job, then the cluster."""
    job = [_freshness(settings), *(_job_graph(title, watched) for title, watched in OF_JOB.items())]
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


def _job_graph(title: str, watched: Sequence[Watched]) -> cloudwatch.GraphWidget:
    left = [
        cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=item.name,
            dimensions_map=dict(item.dimensions),
            statistic="Maximum",
            period=NIGHT,
            label=item.label,
        )
        for item in watched
    ]
    return cloudwatch.GraphWidget(title=title, width=8, left=left)


def _freshness(settings: Settings) -> cloudwatch.GraphWidget:
    """A line per station, without naming the stations: whichever have series (`[metrics] emf_series`)."""
    search = (
        f"SEARCH('{{{NAMESPACE},station}} MetricName=\"{metrics.STATION_AGE.name}\"', "
        f"'Maximum', {NIGHT.to_seconds():.0f})"
    )
    return cloudwatch.GraphWidget(
        title="Freshness per station (h)",
        width=8,
        left=[cloudwatch.MathExpression(expression=search, label="", period=NIGHT, search_region=settings.region)],
    )
