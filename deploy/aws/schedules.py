"""What starts the tasks at their times, and where a start goes that EventBridge has given up."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs

from deploy.aws.alarm_table import dead_letters
from deploy.aws.exceptions import checkov, nag
from deploy.aws.network import Network
from deploy.aws.rights import allow, make_role
from deploy.aws.settings import Settings


def make_schedules(
    stack: Stack, settings: Settings, network: Network, cluster: ecs.Cluster, tasks: Mapping[str, ecs.CfnTaskDefinition]
) -> sqs.Queue:
    """A schedule for the nightly task and one for the drill, each with a role that may start its own task alone.

    Returns the queue of the starts that were given up.
    """
    queue = _dead_letter_queue(stack, settings)
    hour, minute = (int(part) for part in settings.run_at.split(":"))
    whens = {"nightly": f"{minute} {hour} * * ? *", "drill": settings.drill_schedule}
    for name, task in tasks.items():
        if name in whens:
            _schedule(stack, settings, network, cluster, queue, name, task, whens[name])
    return queue


def _dead_letter_queue(stack: Stack, settings: Settings) -> sqs.Queue:
    queue = sqs.Queue(
        stack,
        "NotStarted",
        queue_name=dead_letters(settings),
        # The queue's own key: what lies there names a task and says why it was not started.
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    checkov(
        queue, "it is encrypted with SQS's own key (SqsManagedSseEnabled), which the rule does not know", "CKV_AWS_27"
    )
    nag(queue, "it is where the schedules' dead letters go; a person reads them", "AwsSolutions-SQS3")
    return queue


def _schedule(
    stack: Stack,
    settings: Settings,
    network: Network,
    cluster: ecs.Cluster,
    queue: sqs.Queue,
    name: str,
    task: ecs.CfnTaskDefinition,
    when: str,
) -> None:
    """At the wall clock's time. EventBridge's older rules know only UTC, and would drift in summer."""
    role = make_role(
        stack,
        f"{name.title()}ScheduleRole",
        "scheduler.amazonaws.com",
        f"EventBridge Scheduler: starts the task {name}",
        [
            allow("Run", ["ecs:RunTask"], [task.ref], ArnEquals={"ecs:cluster": cluster.cluster_arn}),
            allow(
                "Pass",
                ["iam:PassRole"],
                [str(task.execution_role_arn), str(task.task_role_arn)],
                StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"},
            ),
            allow("DeadLetter", ["sqs:SendMessage"], [queue.queue_arn]),
        ],
    )
    prop = scheduler.CfnSchedule
    schedule = prop(
        stack,
        f"{name.title()}Schedule",
        name=f"{settings.name}-{name}",
        description=f"starts the task {name} (docs/aws.md)",
        schedule_expression=f"cron({when})",
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
                        subnets=network.job_subnets,
                        security_groups=[network.job_group.security_group_id],
                        assign_public_ip="DISABLED",
                    )
                ),
            ),
            retry_policy=prop.RetryPolicyProperty(maximum_retry_attempts=3, maximum_event_age_in_seconds=3600),
            dead_letter_config=prop.DeadLetterConfigProperty(arn=queue.queue_arn),
        ),
    )
    checkov(
        schedule,
        "it holds names only, which AWS's own key encrypts; a schedule that could not decrypt itself would not start",
        "CKV_AWS_297",
    )
    schedule.node.add_dependency(stack.node.find_child(f"{name.title()}ScheduleRolePolicy"))
