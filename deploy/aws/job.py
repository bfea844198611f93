"""The job on Fargate: its tasks, each with a role of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_sqs as sqs

from deploy.aws.buckets import Buckets
from deploy.aws.database import Database, endpoint
from deploy.aws.exceptions import nag
from deploy.aws.network import MONGODB_PORT, Network
from deploy.aws.rights import (
    READ,
    WRITE,
    Grant,
    allow,
    make_role,
    on_folder,
    pull_image,
    read_secrets,
    use_key,
    write_logs,
)
from deploy.aws.schedules import make_schedules
from deploy.aws.secrets import Secrets
from deploy.aws.settings import IMAGE_USER, Settings

SCRIPTS: Final = Path(__file__).parent / "scripts"
WRITABLE: Final = {"tmp": "/tmp", "data": "/var/lib/barograph"}  # noqa: S108 - inside of the container
"""The folders in which a task may write; everything else is read-only. The image declares both as volumes."""

DRILL: Final = "drill.json"
"""What a drill keeps beside the backup (docs/backup.md)."""
DRILL_COMMAND: Final = ("backup", "drill", "--scratch", f"sqlite:///{WRITABLE['tmp']}/drill.db")


@dataclass(frozen=True, slots=True)
class Shared:
    """What every task and the EC2 instance are made of."""

    network: Network
    buckets: Buckets
    database: Database
    secrets: Secrets
    key: kms.Key
    log_group: logs.LogGroup


@dataclass(frozen=True, slots=True)
class Job:
    """The ECS cluster, its task definitions by name, and the queue of starts that were given up."""

    cluster: ecs.Cluster
    tasks: dict[str, ecs.CfnTaskDefinition]
    not_started: sqs.Queue | None


@dataclass(frozen=True, slots=True)
class _Spec:
    """What tells one task from another: its roles, what it is shown, and the words that its script begins with."""

    name: str
    agent: iam.Role
    role: iam.Role | None
    secrets: Mapping[str, str]
    plain: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    script: str = "nightly.py"


def image_uri(stack: Stack, settings: Settings) -> str:
    """The image with its registry."""
    host = f"{settings.account}.dkr.ecr.{settings.region}.{stack.url_suffix}"
    return f"{host}/{settings.image}"


def plain_environment(settings: Settings, shared: Shared) -> dict[str, str]:
    """What the job is told that is no secret."""
    return {
        "AWS_REGION": settings.region,
        "BAROGRAPH_BACKUPS": f"s3://{shared.buckets.backups.bucket_name}/{settings.backups_prefix}",
        "BAROGRAPH_DATA_DIR": WRITABLE["data"],
        "BAROGRAPH_LANDING": f"s3://{shared.buckets.landing.bucket_name}",
        "BAROGRAPH_LOG_FORMAT": "json",
        "DB_CA_FILE": settings.ca_file,
        "DB_HOST": endpoint(shared.database),
        "DB_NAME": settings.database,
        "DB_PORT": str(MONGODB_PORT),
    }


def nightly_rights(settings: Settings, shared: Shared) -> list[Grant]:
    """Land and read extracts, write and read backups. No delete, anywhere."""
    return [
        *on_folder("Landing", shared.buckets.landing, settings.landing_prefix, READ + WRITE),
        *on_folder("Backups", shared.buckets.backups, settings.backups_prefix, READ + WRITE),
        use_key(shared.key, f"s3.{settings.region}.amazonaws.com", "kms:GenerateDataKey", "kms:Decrypt"),
    ]


def restore_rights(settings: Settings, shared: Shared) -> list[Grant]:
    """Read both buckets: for `backup verify`, `backup restore`, `verify` and `rebuild`, by hand."""
    return [
        *on_folder("Landing", shared.buckets.landing, settings.landing_prefix, READ),
        *on_folder("Backups", shared.buckets.backups, settings.backups_prefix, READ),
        use_key(shared.key, f"s3.{settings.region}.amazonaws.com", "kms:Decrypt"),
    ]


def drill_rights(settings: Settings, shared: Shared) -> list[Grant]:
    """Read backups, and write what the drill found beside them: one name, in the folder of each backup."""
    bucket, folder = shared.buckets.backups, settings.backups_prefix
    return [
        *on_folder("Backups", bucket, folder, READ),
        allow(
            "DrillNote",
            ["s3:PutObject"],
            [bucket.arn_for_objects(f"{folder}/*/{DRILL}")],
            wildcard="the folder of each backup, whose name is its instant",
        ),
        use_key(shared.key, f"s3.{settings.region}.amazonaws.com", "kms:GenerateDataKey", "kms:Decrypt"),
    ]


def make_job(stack: Stack, settings: Settings, shared: Shared) -> Job:
    """Cluster, tasks and schedules. The schedules sleep until the database users can have been made."""
    cluster = ecs.Cluster(
        stack,
        "Cluster",
        cluster_name=settings.name,
        vpc=shared.network.vpc,
        container_insights_v2=ecs.ContainerInsights.ENABLED,
    )
    user = shared.secrets.user
    agent = _agent(
        stack, settings, shared, "TaskAgent", "the tasks nightly and restore begin", [user.ref, *shared.secrets.texts]
    )
    tasks: dict[str, ecs.CfnTaskDefinition] = {}
    for name, rights in (("nightly", nightly_rights(settings, shared)), ("restore", restore_rights(settings, shared))):
        role = make_role(stack, f"{name.title()}Role", "ecs-tasks.amazonaws.com", f"the task {name}", rights)
        # What a person starts by hand takes as long as it takes.
        hours = {"JOB_HOURS": str(settings.command_hours)} if name == "nightly" else {}
        secrets = _shown("DB", user) | _texts(shared)
        tasks[name] = _task(stack, settings, shared, _Spec(name, agent, role, secrets, hours))
    if settings.drill:
        tasks["drill"] = _drill_task(stack, settings, shared)
    if settings.master_secret_arn:
        tasks["user"] = _user_task(stack, settings, shared)
    queue = make_schedules(stack, settings, shared.network, cluster, tasks) if settings.runner == "fargate" else None
    return Job(cluster, tasks, queue)


def _shown(prefix: str, user: sm.CfnSecret) -> dict[str, str]:
    """User and password as ECS takes them out of a secret."""
    return {f"{prefix}_{key.upper()}": f"{user.ref}:{key}::" for key in ("username", "password")}


def _texts(shared: Shared) -> dict[str, str]:
    return {"JOB_CONFIG": shared.secrets.config.ref, "JOB_VARIABLES": shared.secrets.variables.ref}


def _agent(stack: Stack, settings: Settings, shared: Shared, name: str, what: str, secrets: Sequence[str]) -> iam.Role:
    """The role of ECS before a task begins: the image, the log, and the secrets that the task is shown."""
    rights = [
        *pull_image(stack, settings),
        write_logs(shared.log_group),
        read_secrets(secrets),
        use_key(shared.key, f"secretsmanager.{settings.region}.amazonaws.com", "kms:Decrypt"),
    ]
    return make_role(stack, f"{name}Role", "ecs-tasks.amazonaws.com", f"ECS, before {what}", rights)


def _drill_task(stack: Stack, settings: Settings, shared: Shared) -> ecs.CfnTaskDefinition:
    """The restore drill: into a SQLite file on the task's own disk, compared with the manifest, read-only elsewhere."""
    user = shared.secrets.drill_user
    agent = _agent(stack, settings, shared, "DrillAgent", "the task drill begins", [user.ref, *shared.secrets.texts])
    role = make_role(stack, "DrillRole", "ecs-tasks.amazonaws.com", "the task drill", drill_rights(settings, shared))
    hours = {"JOB_HOURS": str(settings.command_hours)}
    secrets = _shown("DB", user) | _texts(shared)
    task = _task(stack, settings, shared, _Spec("drill", agent, role, secrets, hours, DRILL_COMMAND))
    task.ephemeral_storage = ecs.CfnTaskDefinition.EphemeralStorageProperty(size_in_gib=settings.drill_storage_gib)
    return task


def _user_task(stack: Stack, settings: Settings, shared: Shared) -> ecs.CfnTaskDefinition:
    """The task that makes the database users: the only one that is shown the master's password."""
    arn, said = settings.master_secret_arn, shared.secrets
    agent = _agent(
        stack, settings, shared, "UserAgent", "the task user begins", [said.user.ref, said.drill_user.ref, arn]
    )
    master = {"MASTER_USERNAME": f"{arn}:username::", "MASTER_PASSWORD": f"{arn}:password::"}
    secrets = _shown("DB", said.user) | _shown("DRILL", said.drill_user) | master
    return _task(stack, settings, shared, _Spec("user", agent, None, secrets, script="make_user.py"))


def _task(stack: Stack, settings: Settings, shared: Shared, spec: _Spec) -> ecs.CfnTaskDefinition:
    """A task definition: the script as the entry point, so that a command's words can be given when it is started."""
    prop = ecs.CfnTaskDefinition
    container = prop.ContainerDefinitionProperty(
        name="barograph",
        image=image_uri(stack, settings),
        essential=True,
        user=IMAGE_USER,
        entry_point=["python3", "-c", (SCRIPTS / spec.script).read_text(encoding="utf-8")],
        environment=[
            prop.KeyValuePairProperty(name=key, value=value)
            for key, value in {**plain_environment(settings, shared), **spec.plain}.items()
        ],
        command=list(spec.command) or None,
        secrets=[prop.SecretProperty(name=key, value_from=value) for key, value in spec.secrets.items()],
        readonly_root_filesystem=True,
        mount_points=[
            prop.MountPointProperty(source_volume=volume, container_path=path, read_only=False)
            for volume, path in WRITABLE.items()
        ],
        linux_parameters=prop.LinuxParametersProperty(
            init_process_enabled=True, capabilities=prop.KernelCapabilitiesProperty(drop=["ALL"])
        ),
        log_configuration=prop.LogConfigurationProperty(
            log_driver="awslogs",
            options={
                "awslogs-group": shared.log_group.log_group_name,
                "awslogs-region": settings.region,
                "awslogs-stream-prefix": spec.name,
            },
        ),
        stop_timeout=120,
    )
    task = prop(
        stack,
        f"{spec.name.title()}Task",
        family=f"{settings.name}-{spec.name}",
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(settings.task_cpu),
        memory=str(settings.task_memory_mib),
        runtime_platform=prop.RuntimePlatformProperty(
            cpu_architecture=settings.task_architecture, operating_system_family="LINUX"
        ),
        execution_role_arn=spec.agent.role_arn,
        task_role_arn=None if spec.role is None else spec.role.role_arn,
        volumes=[prop.VolumeProperty(name=volume) for volume in WRITABLE],
        container_definitions=[container],
    )
    nag(
        task,
        "plain variables carry names of places only; user, password, configuration and tokens come from secrets",
        "AwsSolutions-ECS2",
    )
    return task
