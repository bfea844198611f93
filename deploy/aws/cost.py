"""What a month costs, estimated: quantities from the settings and a workload, prices from memory.

The prices are those of us-east-1, the region that everybody quotes, as they were remembered in November 2026; PARIS is
added on top. They are no offer, and AWS's own pages were not read: its Pricing Calculator has the ones of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from barograph.config import TABLES
from barograph.ops.metrics import CLOUDWATCH
from deploy.aws.alarm_table import alarms
from deploy.aws.settings import Settings

HOURS: Final = 730
NIGHTS: Final = 30.4
DRILLS: Final = 4.35
PARIS: Final = 1.2
"""Allowance for eu-west-3, from memory as well: of the services used here it is 5 to 20 % above us-east-1."""

INSTANCE_HOUR: Final = {
    "db.t3.medium": 0.078,
    "db.t4g.medium": 0.076,
    "db.r6g.large": 0.26,
    "db.r6g.xlarge": 0.52,
    "db.r6g.2xlarge": 1.04,
}


@dataclass(frozen=True, slots=True)
class Workload:
    """What is stored and done in a month."""

    stations: int
    connections: int
    database_gb: int
    io_millions: int
    extra_backup_gb: int
    landing_gb: int
    backups_gb: int
    logs_gb: int
    out_gb: int
    minutes_a_night: int
    minutes_a_drill: int


WORKLOADS: Final = {
    "small": Workload(5, 5, 10, 5, 0, 20, 20, 2, 10, 15, 10),
    "production": Workload(100, 20, 50, 50, 50, 200, 100, 10, 50, 60, 60),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: a quantity, its unit, and what one costs in US dollars."""

    what: str
    quantity: float
    unit: str
    price: float

    @property
    def amount(self) -> float:
        """US dollars a month, in us-east-1."""
        return self.quantity * self.price


def series(load: Workload) -> int:
    """How many series the job's metrics make: one for each metric without labels or over all, and one per label."""
    bound = TABLES["metrics"]["emf_series"].default
    many = {
        "station": min(load.stations, bound),
        "connection": min(load.connections, bound),
        "command": 1,
        "fate": 6,
        "member": 3,
        "state": 2,
    }
    return sum(
        (not metric.labels or metric.whole is not None) + sum(many[label] for label in metric.labels)
        for metric in CLOUDWATCH
    )


def bill(settings: Settings, load: Workload) -> list[Line]:
    """The lines of a month, free tiers of new accounts left out."""
    drills = DRILLS * load.minutes_a_drill / 60 if settings.drill else 0.0
    tasks = NIGHTS * load.minutes_a_night / 60 + drills
    gateways = {"nat": 1, "nat-per-zone": settings.zone_count, "endpoints": 0}[settings.egress]
    instances = settings.replicas + 1
    lines = [
        Line("DocumentDB instances", instances * HOURS, "h", INSTANCE_HOUR[settings.instance_class]),
        Line("DocumentDB storage", load.database_gb, "GB", 0.10),
        Line("DocumentDB I/O", load.io_millions, "million", 0.20),
        Line("DocumentDB backups beyond the free share", load.extra_backup_gb, "GB", 0.02),
        Line("NAT gateways", gateways * HOURS, "h", 0.045),
        Line("NAT gateways, data", load.out_gb if gateways else 0, "GB", 0.045),
        Line("public addresses of the NAT gateways", gateways * HOURS, "h", 0.005),
        Line("interface endpoints", (0 if gateways else 4 * settings.zone_count) * HOURS, "h", 0.01),
        Line("Fargate, CPU", tasks * settings.task_cpu / 1024, "vCPU h", 0.04048),
        Line("Fargate, memory", tasks * settings.task_memory_mib / 1024, "GB h", 0.004445),
        Line("Fargate, the drill's disk beyond 20 GB", drills * (settings.drill_storage_gib - 20), "GB h", 0.000111),
        Line("S3 storage", load.landing_gb + load.backups_gb, "GB", 0.023),
        Line("KMS key", 1, "key", 1.0),
        Line("secrets", 5, "secret", 0.40),
        Line("CloudWatch alarms", len(alarms(settings)), "alarm", 0.10),
        Line("CloudWatch metrics of the job", series(load), "metric", 0.30),
        Line("CloudWatch logs", load.logs_gb, "GB", 0.50),
    ]
    return [line for line in lines if line.quantity]


def in_paris(lines: list[Line]) -> float:
    """The sum with the allowance for Paris."""
    return sum(line.amount for line in lines) * PARIS
