"""The job on Fargate: its tasks, each with a role of its own, and the schedule that starts the nightly one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler

from deploy.aws.buckets import Buckets
from deploy.aws.database import Database, endpoint
from deploy.aws.exceptions import checkov, nag
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
from deploy.aws.secrets import Secrets
from deploy.aws.settings import Settings

SCRIPTS: Final = Path(__file__).parent / "scripts"
WRITABLE: Final = {"tmp": "/tmp", "data": "/var/lib/barograph"}  # noqa: S108 - inside of the container
"""The folders in which a task may write; everything else is read-only. The image declares both as volumes."""


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
    """The ECS cluster and its task definitions by name."""

    cluster: ecs.Cluster
    tasks: dict[str, ecs.CfnTaskDefinition]


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


def make_job(stack: Stack, settings: Settings, shared: Shared) -> Job:
    """Cluster, tasks and schedule. The schedule sleeps until the database user can have been made."""
    cluster = ecs.Cluster(
        stack,
        "Cluster",
        cluster_name=settings.name,
        vpc=shared.network.vpc,
        container_insights_v2=ecs.ContainerInsights.ENABLED,
    )
    agent_rights = [
        *pull_image(stack, settings),
        write_logs(shared.log_group),
        read_secrets(shared.secrets.arns),
        use_key(shared.key, f"secretsmanager.{settings.region}.amazonaws.com", "kms:Decrypt"),
    ]
    agent = make_role(
        stack,
        "TaskAgentRole",
        "ecs-tasks.amazonaws.com",
        "ECS, before a task begins: image, logs, secrets",
        agent_rights,
    )
    shown = {
        "DB_USERNAME": f"{shared.secrets.user.ref}:username::",
        "DB_PASSWORD": f"{shared.secrets.user.ref}:password::",
        "JOB_CONFIG": shared.secrets.config.ref,
        "JOB_VARIABLES": shared.secrets.variables.ref,
    }
    tasks: dict[str, ecs.CfnTaskDefinition] = {}
    for name, rights in (("nightly", nightly_rights(settings, shared)), ("restore", restore_rights(settings, shared))):
        role = make_role(stack, f"{name.title()}Role", "ecs-tasks.amazonaws.com", f"the task {name}", rights)
        tasks[name] = _task(stack, settings, shared, name, "nightly.py", agent, role, shown)
    if settings.master_secret_arn:
        tasks["user"] = _user_task(stack, settings, shared, shown)
    if settings.runner == "fargate":
        _schedule(stack, settings, shared, cluster, tasks["nightly"])
    return Job(cluster, tasks)


def _user_task(stack: Stack, settings: Settings, shared: Shared, shown: dict[str, str]) -> ecs.CfnTaskDefinition:
    """The task that makes the job's database user: the only one that is shown the master's password."""
    arn = settings.master_secret_arn
    agent = make_role(
        stack,
        "UserAgentRole",
        "ecs-tasks.amazonaws.com",
        "ECS, before the task user begins: as for the others, and the master's secret",
        [
            *pull_image(stack, settings),
            write_logs(shared.log_group),
            read_secrets([*shared.secrets.arns, arn]),
            use_key(shared.key, f"secretsmanager.{settings.region}.amazonaws.com", "kms:Decrypt"),
        ],
    )
    master = {"MASTER_USERNAME": f"{arn}:username::", "MASTER_PASSWORD": f"{arn}:password::"}
    return _task(stack, settings, shared, "user", "make_user.py", agent, None, {**shown, **master})


def _task(
    stack: Stack,
    settings: Settings,
    shared: Shared,
    name: str,
    script: str,
    agent: iam.Role,
    role: iam.Role | None,
    secrets: dict[str, str],
) -> ecs.CfnTaskDefinition:
    """A task definition: the script as the entry point, so that a command's words can be given when it is started."""
    prop = ecs.CfnTaskDefinition
    container = prop.ContainerDefinitionProperty(
        name="barograph",
        image=image_uri(stack, settings),
        essential=True,
        entry_point=["python3", "-c", (SCRIPTS / script).read_text(encoding="utf-8")],
        environment=[
            prop.KeyValuePairProperty(name=key, value=value)
            for key, value in plain_environment(settings, shared).items()
        ],
        secrets=[prop.SecretProperty(name=key, value_from=value) for key, value in secrets.items()],
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
                "awslogs-stream-prefix": name,
            },
        ),
        stop_timeout=120,
    )
    task = prop(
        stack,
        f"{name.title()}Task",
        family=f"{settings.name}-{name}",
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(settings.task_cpu),
        memory=str(settings.task_memory_mib),
        runtime_platform=prop.RuntimePlatformProperty(
            cpu_architecture=settings.task_architecture, operating_system_family="LINUX"
        ),
        execution_role_arn=agent.role_arn,
        task_role_arn=None if role is None else role.role_arn,
        volumes=[prop.VolumeProperty(name=volume) for volume in WRITABLE],
        container_definitions=[container],
    )
    nag(
        task,
        "plain variables carry names of places only; user, password, configuration and tokens come from secrets",
        "AwsSolutions-ECS2",
    )
    return task


def _schedule(
    stack: Stack, settings: Settings, shared: Shared, cluster: ecs.Cluster, task: ecs.CfnTaskDefinition
) -> None:
    """Every night at the wall clock's time. EventBridge's older rules know only UTC, and would drift in summer."""
    role = make_role(
        stack,
        "ScheduleRole",
        "scheduler.amazonaws.com",
        "EventBridge Scheduler: starts the nightly task",
        [
            allow("Run", ["ecs:RunTask"], [task.ref], ArnEquals={"ecs:cluster": cluster.cluster_arn}),
            allow(
                "Pass",
                ["iam:PassRole"],
                [str(task.execution_role_arn), str(task.task_role_arn)],
                StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"},
            ),
        ],
    )
    hour, minute = (int(part) for part in settings.run_at.split(":"))
    prop = scheduler.CfnSchedule
    schedule = prop(
        stack,
        "Schedule",
        name=f"{settings.name}-nightly",
        description="barograph run, then barograph backup create",
        schedule_expression=f"cron({minute} {hour} * * ? *)",
        schedule_expression_timezone=settings.timezone,
        state="ENABLED" if settings.master_secret_arn else "DISABLED",
        flexible_time_window=prop.FlexibleTimeWindowProperty(mode="OFF"),
        target=prop.TargetProperty(
            arn=cluster.cluster_arn,
            role_arn=role.role_arn,
            ecs_parameters=prop.EcsParametersProperty(
                task_definition_arn=task.ref,
                launch_type="FARGATE",
                platform_version="1.4.0",
                task_count=1,
                network_configuration=prop.NetworkConfigurationProperty(
                    awsvpc_configuration=prop.AwsVpcConfigurationProperty(
                        subnets=shared.network.job_subnets,
                        security_groups=[shared.network.job_group.security_group_id],
                        assign_public_ip="DISABLED",
                    )
                ),
            ),
            retry_policy=prop.RetryPolicyProperty(maximum_retry_attempts=3, maximum_event_age_in_seconds=3600),
        ),
    )
    checkov(
        schedule,
        "it holds names only, which AWS's own key encrypts; a schedule that could not decrypt itself would not start",
        "CKV_AWS_297",
    )
    schedule.node.add_dependency(stack.node.find_child("ScheduleRolePolicy"))
