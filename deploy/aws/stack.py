"""The whole of it, put together."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Environment, Stack, Tags

from deploy.aws.airbyte import make_airbyte_user
from deploy.aws.alarms import make_alarms, make_topic, tell_of_ended_tasks, tell_of_the_cluster
from deploy.aws.buckets import make_buckets
from deploy.aws.budget import make_budget
from deploy.aws.dashboard import make_dashboard
from deploy.aws.database import endpoint, make_database
from deploy.aws.host import make_host
from deploy.aws.job import Job, Shared, make_job
from deploy.aws.keys import make_key
from deploy.aws.logs import make_log_group
from deploy.aws.network import make_network
from deploy.aws.secrets import make_secrets
from deploy.aws.settings import Settings


def make_stack(app: App, settings: Settings) -> Stack:
    """The stack of these settings in `app`.

    Account and region are given: a stack for "wherever it is deployed" gets two zones, however many it asks for.
    """
    app.node.set_context(
        f"availability-zones:account={settings.account}:region={settings.region}", list(settings.zones)
    )
    stack = Stack(
        app,
        settings.name,
        env=Environment(account=settings.account, region=settings.region),
        description="barograph: landing zone, DocumentDB, nightly job (docs/aws.md)",
        termination_protection=settings.deletion_protection,
    )
    # W3010: that zones are named is the point, and DocumentDB's instances could not be placed otherwise.
    stack.template_options.metadata = {"cfn-lint": {"config": {"ignore_checks": ["W3010"]}}}
    Tags.of(stack).add("application", settings.name)
    key = make_key(stack, settings)
    network = make_network(stack, settings, key)
    shared = Shared(
        network=network,
        buckets=make_buckets(stack, settings, key),
        database=make_database(stack, settings, key, network),
        secrets=make_secrets(stack, settings, key),
        key=key,
        log_group=make_log_group(stack, settings, key, "JobLogs", f"/{settings.name}/job"),
    )
    topic = make_topic(stack, settings, key)
    job = make_job(stack, settings, shared)
    alarms = make_alarms(stack, settings, topic)
    tell_of_ended_tasks(stack, settings, topic, job.cluster)
    tell_of_the_cluster(stack, settings, topic, shared.database)
    make_dashboard(stack, settings, shared.database, alarms)
    make_budget(stack, settings)
    _tell(stack, "AlertsTopic", topic.topic_arn, "where alarms go")
    _outputs(stack, settings, shared, job)
    if settings.runner == "ec2":
        host = make_host(stack, settings, shared, topic)
        _tell(stack, "Host", host.instance_id, "the instance: aws ssm start-session --target …")
    if settings.airbyte_user:
        user = make_airbyte_user(stack, settings, shared.buckets, key)
        _tell(stack, "AirbyteUserName", user.user_name, "aws iam create-access-key --user-name …")
    return stack


def _outputs(stack: Stack, settings: Settings, shared: Shared, job: Job) -> None:
    """What the commands of docs/aws.md ask for."""
    _tell(stack, "LandingUrl", f"s3://{shared.buckets.landing.bucket_name}", "[landing] url of barograph.toml")
    _tell(
        stack,
        "BackupsUrl",
        f"s3://{shared.buckets.backups.bucket_name}/{settings.backups_prefix}",
        "[backup] url of barograph.toml",
    )
    _tell(stack, "DatabaseEndpoint", endpoint(shared.database), "the cluster endpoint")
    _tell(stack, "DatabaseIdentifier", shared.database.identifier, "aws docdb describe-db-clusters")
    _tell(stack, "ConfigSecret", shared.secrets.config.ref, "put barograph.toml here")
    _tell(stack, "VariablesSecret", shared.secrets.variables.ref, "put the variables of barograph.toml here, as JSON")
    _tell(stack, "JobUserSecret", shared.secrets.user.ref, "user and password of the job")
    _tell(stack, "DrillUserSecret", shared.secrets.drill_user.ref, "user and password of the restore drill")
    _tell(stack, "ClusterName", job.cluster.cluster_name, "aws ecs run-task --cluster …")
    _tell(stack, "JobSubnets", ",".join(shared.network.job_subnets), "aws ecs run-task --network-configuration …")
    _tell(stack, "JobSecurityGroup", shared.network.job_group.security_group_id, "likewise")
    for name, task in job.tasks.items():
        _tell(stack, f"{name.title()}TaskFamily", str(task.family), "aws ecs run-task --task-definition …")
    if job.not_started is not None:
        _tell(stack, "NotStartedQueue", job.not_started.queue_url, "aws sqs receive-message --queue-url …")
    url = f"https://{settings.region}.console.aws.amazon.com/cloudwatch/home#dashboards:name={settings.name}"
    _tell(stack, "DashboardUrl", url, "the dashboard")


def _tell(stack: Stack, name: str, value: str, description: str) -> None:
    CfnOutput(stack, f"{name}Output", value=value, description=description).override_logical_id(name)
