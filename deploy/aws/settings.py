"""Every setting of the stack, from the CDK's context, checked before anything is made of it.

Needs nothing but Python, so that the settings can be read, documented and tested where the CDK is not installed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, Self
from zoneinfo import available_timezones

PREFIX: Final = "barograph:"
"""What stands before a setting's name in the context: the CDK keeps keys of its own there."""

IMAGE_USER: Final = "10001"
"""The number of the user that runs the image; nobody has it on the EC2 instance but its `barograph`."""
GIB: Final = 1024**3
MINUTES_OF_A_WEEK: Final = 7 * 24 * 60
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class InstanceClass:
    """What an instance class of DocumentDB has: memory in GiB, and how many connections it takes at most."""

    memory_gib: int
    connections: int


# Memory: AWS, "Managing instance classes". Connections: not verified against AWS's page of limits; on the low side, so
# that the alarm would come early rather than late.
INSTANCE_CLASSES: Final[dict[str, InstanceClass]] = {
    "db.t3.medium": InstanceClass(4, 500),
    "db.t4g.medium": InstanceClass(4, 500),
    "db.r6g.large": InstanceClass(16, 1_700),
    "db.r6g.xlarge": InstanceClass(32, 3_400),
    "db.r6g.2xlarge": InstanceClass(64, 6_800),
}

# The retentions that CloudWatch Logs takes, to two years.
LOG_RETENTIONS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_MEMORY: Final[dict[int, tuple[int, ...]]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
}

PROFILES: Final[dict[str, dict[str, Any]]] = {
    "small": {
        "instance_class": "db.t4g.medium",
        "backup_retention_days": 7,
        "egress": "nat",
        "log_retention_days": 30,
        "task_cpu": 512,
        "task_memory_mib": 2048,
        "drill_storage_gib": 21,
        "budget_usd": 450,
    },
    "production": {
        "instance_class": "db.r6g.large",
        "backup_retention_days": 35,
        "egress": "nat-per-zone",
        "log_retention_days": 365,
        "task_cpu": 2048,
        "task_memory_mib": 8192,
        "drill_storage_gib": 100,
        "budget_usd": 1300,
    },
}
"""What a profile sets; a setting that is given stands over it."""


class SettingsError(ValueError):
    """A setting that cannot be used: which, why, and what to do."""


def _setting(help_: str, default: Any = MISSING) -> Any:
    return field(metadata={"help": help_}) if default is MISSING else field(default=default, metadata={"help": help_})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one stack; `from_context` makes them, fills in the profile, and checks."""

    account: str = _setting("AWS account, 12 digits; default the one of the credentials (`CDK_DEFAULT_ACCOUNT`)")
    image: str = _setting(
        "container image of barograph in an ECR repository of this account and region, as `repository:tag` or "
        "`repository@sha256:…`"
    )
    alert_email: str = _setting("where alarms and the budget's warnings go")
    region: str = _setting("AWS region", "eu-west-3")
    zones: tuple[str, ...] = _setting("three availability zones of the region; default its a, b and c", ())
    profile: str = _setting("`small` or `production`: sets the settings marked † below", "small")
    name: str = _setting("the stack's name, and the beginning of the names of what is in it", "barograph")
    vpc_cidr: str = _setting("addresses of the VPC: private, /16 to /22", "10.42.0.0/16")
    egress: str = _setting(
        "way out of the private subnets: `nat` (one NAT gateway), `nat-per-zone`, or `endpoints` (only AWS's services: "
        "where every source is already in the landing zone)",
        "",
    )
    instance_class: str = _setting("class of the DocumentDB instances", "")
    replicas: int = _setting("replicas beside the primary, each in another zone as far as there are zones", 2)
    storage_type: str = _setting("`standard`, or `iopt1` (I/O-Optimized)", "standard")
    database: str = _setting("name of the database", "meteo")
    backup_retention_days: int = _setting("days to which the cluster can be restored, 7 to 35", 0)
    backup_window: str = _setting("when the cluster is backed up, UTC", "03:00-04:00")
    maintenance_window: str = _setting("when AWS may patch the cluster, UTC", "sun:04:30-sun:05:30")
    deletion_protection: bool = _setting("whether cluster and stack refuse to be deleted", default=True)
    master_secret_arn: str = _setting(
        "ARN of the master user's secret, which AWS makes with the cluster: given from the second deployment on", ""
    )
    landing_prefix: str = _setting("`[landing] prefix` of barograph.toml", "meteo_sync")
    backups_prefix: str = _setting("folder of the backups in their bucket", "nightly")
    backups_expire_days: int = _setting("days after which a backup in S3 is removed; not below 35", 400)
    runner: str = _setting("what runs the nightly job: `fargate`, or `ec2` (an instance with systemd units)", "fargate")
    run_at: str = _setting("when the nightly job begins", "00:00")
    timezone: str = _setting("IANA timezone of `run_at` and `drill_schedule`", "Europe/Paris")
    command_hours: int = _setting("hours after which a command of the nightly task or the drill is ended, 1 to 7", 6)
    drill: bool = _setting("whether the newest backup is restored on a schedule, to prove that it can be", default=True)
    drill_schedule: str = _setting(
        "when, as the six fields of EventBridge's cron; with `runner=ec2` Sundays at 04:00", "0 4 ? * SUN *"
    )
    drill_storage_gib: int = _setting(
        "disk of the drill, which a restored backup must fit into as a SQLite file, GiB, 21 to 200", 0
    )
    drill_alarm_days: int = _setting("days without a good drill after which an alarm is raised, 1 to 100", 8)
    freshness_hours: int = _setting("age of a station's last report from which an alarm is raised, hours", 36)
    task_cpu: int = _setting("CPU units of the Fargate task, 1024 a core", 0)
    task_memory_mib: int = _setting("memory of the Fargate task", 0)
    task_architecture: str = _setting("architecture of the image: `X86_64` or `ARM64`", "X86_64")
    ec2_instance_type: str = _setting("type of the instance where `runner` is `ec2`", "t3.small")
    ca_file: str = _setting(
        "Amazon's bundle of certificates inside of the image", "/etc/ssl/certs/rds-global-bundle.pem"
    )
    log_retention_days: int = _setting("days for which CloudWatch keeps logs", 0)
    volume_alarm_gib: int = _setting("size of the cluster's volume from which an alarm is raised, GiB", 50)
    budget_usd: int = _setting(
        "monthly budget of the account in dollars: a mail at 80 %, and when 100 % is forecast", 0
    )
    airbyte_user: bool = _setting("whether to make a user for Airbyte's S3 destination", default=False)

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """The settings that a CDK context holds under `barograph:` keys.

        Raises:
            SettingsError: one is unknown, missing, or cannot be used.
        """
        given = {key.removeprefix(PREFIX): value for key, value in context.items() if key.startswith(PREFIX)}
        known = {item.name: item for item in fields(cls)}
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "docs/aws.md lists them"
                raise SettingsError(f"{PREFIX}{name}: there is no such setting; {hint}")
        for name, item in known.items():
            if item.default is MISSING and not given.get(name):
                raise SettingsError(f"{PREFIX}{name} is missing: {item.metadata['help']}; say -c {PREFIX}{name}=…")
        profile = given.get("profile", known["profile"].default)
        if profile not in PROFILES:
            raise SettingsError(f"{PREFIX}profile: {profile!r} is none of {', '.join(PROFILES)}")
        region = given.get("region", known["region"].default)
        merged = {"zones": tuple(f"{region}{letter}" for letter in "abc"), **PROFILES[profile], **given}
        made = cls(**{name: _typed(name, known[name].type, value) for name, value in merged.items()})
        for name, check in CHECKS.items():
            if (wrong := check(made)) is not None:
                raise SettingsError(f"{PREFIX}{name}: {wrong}")
        return made

    @property
    def zone_count(self) -> int:
        """How many zones there are."""
        return len(self.zones)

    @property
    def repository(self) -> str:
        """The image without tag and digest."""
        return re.split(r"[:@]", self.image, maxsplit=1)[0]

    @property
    def tag(self) -> str:
        """The image's tag, or its digest as `sha256:…`."""
        return self.image[len(self.repository) + 1 :]

    @property
    def freeable_memory_alarm(self) -> int:
        """Bytes: a tenth of what an instance has. AWS advises to keep more than that free."""
        return INSTANCE_CLASSES[self.instance_class].memory_gib * GIB // 10

    @property
    def connections_alarm(self) -> int:
        """Four fifths of what an instance takes."""
        return INSTANCE_CLASSES[self.instance_class].connections * 4 // 5


def _typed(name: str, kind: Any, value: Any) -> Any:
    """A context value as the setting's type: on the command line everything is text."""
    if kind == "bool":
        if str(value).lower() not in ("true", "false"):
            raise SettingsError(f"{PREFIX}{name}: {value!r} is neither true nor false")
        return str(value).lower() == "true"
    if kind == "int":
        if not re.fullmatch(r"\d+", str(value)):
            raise SettingsError(f"{PREFIX}{name}: {value!r} is not a whole number")
        return int(value)
    if kind == "tuple[str, ...]":
        return tuple(value.split(",")) if isinstance(value, str) else tuple(str(item) for item in value)
    return str(value)


def _matches(name: str, pattern: str, hint: str) -> Callable[[Settings], str | None]:
    def check(settings: Settings) -> str | None:
        value = getattr(settings, name)
        return None if re.fullmatch(pattern, value) else f"{value!r} is not {hint}"

    return check


def _one_of(name: str, values: tuple[Any, ...]) -> Callable[[Settings], str | None]:
    def check(settings: Settings) -> str | None:
        value = getattr(settings, name)
        return None if value in values else f"{value!r} is none of {', '.join(map(str, values))}"

    return check


def _between(name: str, low: int, high: int) -> Callable[[Settings], str | None]:
    def check(settings: Settings) -> str | None:
        value = getattr(settings, name)
        return None if low <= value <= high else f"{value} is not between {low} and {high}"

    return check


def _zones(settings: Settings) -> str | None:
    if len(set(settings.zones)) != 3 or len(settings.zones) != 3:
        return f"{', '.join(settings.zones)}: name three different zones"
    if strays := [zone for zone in settings.zones if not re.fullmatch(re.escape(settings.region) + "[a-z]", zone)]:
        return f"{', '.join(strays)} is not in {settings.region}; `aws ec2 describe-availability-zones` lists them"
    return None


def _minutes(text: str) -> int:
    """Minutes from the day's begin."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _length(begin: int, end: int, cycle: int) -> int:
    return (end - begin) % cycle


TIME: Final = r"([01]\d|2[0-3]):[0-5]\d"


def _backup_window(settings: Settings) -> str | None:
    if not re.fullmatch(f"{TIME}-{TIME}", settings.backup_window):
        return f"{settings.backup_window!r} is not HH:MM-HH:MM, in UTC"
    begin, end = (_minutes(part) for part in settings.backup_window.split("-"))
    return None if _length(begin, end, 1440) >= 30 else f"{settings.backup_window} is shorter than 30 minutes"


def _maintenance_window(settings: Settings) -> str | None:
    window = settings.maintenance_window
    day = f"({'|'.join(DAYS)})"
    if not re.fullmatch(f"{day}:{TIME}-{day}:{TIME}", window):
        return f"{window!r} is not ddd:HH:MM-ddd:HH:MM, in UTC, such as sun:04:30-sun:05:30"
    begin, end = (DAYS.index(part[:3]) * 1440 + _minutes(part[4:]) for part in window.split("-"))
    long = _length(begin, end, MINUTES_OF_A_WEEK)
    if not 30 <= long <= 1440:
        return f"{window} is not between 30 minutes and a day long"
    first, last = (_minutes(part) for part in settings.backup_window.split("-"))
    backup = _length(first, last, 1440)
    for number in range(-1, 8):
        start = number * 1440 + first
        if start < begin + long and begin < start + backup:
            return f"{window} overlaps the backup window {settings.backup_window}; AWS refuses that: move one of them"
    return None


def _memory(settings: Settings) -> str | None:
    fitting = FARGATE_MEMORY.get(settings.task_cpu, ())
    if settings.task_memory_mib in fitting:
        return None
    return f"{settings.task_memory_mib} does not go with task_cpu {settings.task_cpu}; one of {fitting} does"


def _cidr(settings: Settings) -> str | None:
    pattern = r"(10\.\d+|172\.(1[6-9]|2\d|3[01])|192\.168)\.\d+\.\d+/(1[6-9]|2[0-2])"
    return (
        None
        if re.fullmatch(pattern, settings.vpc_cidr)
        else f"{settings.vpc_cidr!r} is no private network of /16 to /22"
    )


def _timezone(settings: Settings) -> str | None:
    return None if settings.timezone in available_timezones() else f"{settings.timezone!r} is not an IANA timezone"


def _drill_schedule(settings: Settings) -> str | None:
    said = settings.drill_schedule
    if not re.fullmatch(r"[\d*?/,LW#A-Z-]+( [\d*?/,LW#A-Z-]+){5}", said):
        return f"{said!r} is not six fields such as 0 4 ? * SUN *: minute, hour, day, month, weekday, year"
    if settings.runner == "ec2" and said != "0 4 ? * SUN *":
        return "with runner=ec2 the unit's own timer says when: `systemctl edit barograph-drill.timer`"
    return None


def _secret_arn(settings: Settings) -> str | None:
    begin = f"arn:aws:secretsmanager:{settings.region}:{settings.account}:secret:"
    arn = settings.master_secret_arn
    return None if not arn or arn.startswith(begin) else f"{arn!r} does not begin with {begin}"


CHECKS: Final[dict[str, Callable[[Settings], str | None]]] = {
    "account": _matches("account", r"\d{12}", "an account number of 12 digits"),
    "region": _matches("region", r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-west-3"),
    "zones": _zones,
    "name": _matches("name", r"[a-z][a-z0-9]{0,19}", "1 to 20 lower-case letters and digits, a letter first"),
    "image": _matches(
        "image",
        r"(?!.*\.amazonaws\.)[a-z0-9][a-z0-9._/-]*(:[\w.-]+|@sha256:[0-9a-f]{64})",
        "repository:tag or repository@sha256:…, without the registry's host",
    ),
    "alert_email": _matches("alert_email", r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    "vpc_cidr": _cidr,
    "egress": _one_of("egress", ("nat", "nat-per-zone", "endpoints")),
    "instance_class": _one_of("instance_class", tuple(INSTANCE_CLASSES)),
    "replicas": _between("replicas", 0, 15),
    "storage_type": _one_of("storage_type", ("standard", "iopt1")),
    "database": _matches("database", r"[A-Za-z][A-Za-z0-9_]{0,62}", "a name of letters, digits and _"),
    "backup_retention_days": _between("backup_retention_days", 7, 35),
    "backup_window": _backup_window,
    "maintenance_window": _maintenance_window,
    "master_secret_arn": _secret_arn,
    "landing_prefix": _matches("landing_prefix", r"[\w.-]+(/[\w.-]+)*", "a folder, without / at its ends"),
    "backups_prefix": _matches("backups_prefix", r"[\w.-]+(/[\w.-]+)*", "a folder, without / at its ends"),
    "backups_expire_days": _between("backups_expire_days", 35, 3650),
    "runner": _one_of("runner", ("fargate", "ec2")),
    "run_at": _matches("run_at", TIME, "a time of day HH:MM"),
    "timezone": _timezone,
    "command_hours": _between("command_hours", 1, 7),
    "drill_schedule": _drill_schedule,
    "drill_storage_gib": _between("drill_storage_gib", 21, 200),
    "drill_alarm_days": _between("drill_alarm_days", 1, 100),
    "freshness_hours": _between("freshness_hours", 1, 720),
    "task_memory_mib": _memory,
    "task_architecture": _one_of("task_architecture", ("X86_64", "ARM64")),
    "ec2_instance_type": _matches("ec2_instance_type", r"[a-z0-9-]+\.[a-z0-9]+", "an instance type such as t3.small"),
    "ca_file": _matches("ca_file", r"/[\w./-]+", "an absolute path"),
    "log_retention_days": _one_of("log_retention_days", LOG_RETENTIONS),
    "volume_alarm_gib": _between("volume_alarm_gib", 1, 131_072),
    "budget_usd": _between("budget_usd", 1, 1_000_000),
}
"""What is asked of each setting, in the order in which it is asked: a check may rely on those above it."""
