"""What calls a person: alarms, ended tasks and events of the cluster, all to one topic and from there by mail."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from deploy.aws.alarm_table import AlarmSpec, alarms
from deploy.aws.database import Database
from deploy.aws.keys import PUBLISHERS, for_account
from deploy.aws.settings import Settings

COMPARISON = {
    ">=": cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    "<=": cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    ">": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    "<": cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
}
SILENCE = {
    "breaching": cloudwatch.TreatMissingData.BREACHING,
    "notBreaching": cloudwatch.TreatMissingData.NOT_BREACHING,
    "ignore": cloudwatch.TreatMissingData.IGNORE,
}
# https://docs.aws.amazon.com/documentdb/latest/developerguide/event-subscriptions.html: those of a cluster that matter.
CLUSTER_EVENTS = ("failover", "maintenance", "notification")


def make_topic(stack: Stack, settings: Settings, key: kms.Key) -> sns.Topic:
    """The topic, and its one reader."""
    topic = sns.Topic(stack, "Alerts", topic_name=f"{settings.name}-alerts", master_key=key, enforce_ssl=True)
    sns.Subscription(
        stack, "AlertsMail", topic=topic, protocol=sns.SubscriptionProtocol.EMAIL, endpoint=settings.alert_email
    )
    for number, (service, tells) in enumerate(PUBLISHERS.items()):
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid=f"Publisher{number}",
                principals=[iam.ServicePrincipal(service)],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions=for_account(settings) if tells else {},
            )
        )
    return topic


def make_alarms(stack: Stack, settings: Settings, topic: sns.Topic) -> list[cloudwatch.Alarm]:
    """Every alarm of the table. Each calls when it begins and when it ends."""
    return [_alarm(stack, settings, topic, spec) for spec in alarms(settings)]


def _alarm(stack: Stack, settings: Settings, topic: sns.Topic, spec: AlarmSpec) -> cloudwatch.Alarm:
    alarm = cloudwatch.Alarm(
        stack,
        f"Alarm{spec.name.title().replace('-', '')}",
        alarm_name=f"{settings.name}-{spec.name}",
        alarm_description=f"{spec.meaning}: {spec.cure}",
        metric=cloudwatch.Metric(
            namespace=spec.namespace,
            metric_name=spec.metric,
            dimensions_map=dict(spec.dimensions),
            statistic=spec.statistic,
            period=Duration.seconds(spec.period_seconds),
        ),
        comparison_operator=COMPARISON[spec.beyond],
        threshold=spec.threshold,
        evaluation_periods=spec.periods,
        treat_missing_data=SILENCE[spec.silence],
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
    alarm.add_ok_action(actions.SnsAction(topic))
    return alarm


def tell_of_ended_tasks(stack: Stack, settings: Settings, topic: sns.Topic, cluster: ecs.Cluster) -> None:
    """A task that did not end with 0, or never began, is told at once; alarms need a night."""
    events.CfnRule(
        stack,
        "TaskEnded",
        name=f"{settings.name}-task-ended",
        description="A task of barograph ended otherwise than with 0, or did not start",
        event_pattern={
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "clusterArn": [cluster.cluster_arn],
                "lastStatus": ["STOPPED"],
                "$or": [
                    {"containers": {"exitCode": [{"anything-but": 0}]}},
                    {"stopCode": ["TaskFailedToStart"]},
                ],
            },
        },
        targets=[events.CfnRule.TargetProperty(arn=topic.topic_arn, id="alerts")],
    )


def tell_of_the_cluster(stack: Stack, settings: Settings, topic: sns.Topic, database: Database) -> None:
    """Failovers and maintenance of the cluster."""
    docdb.CfnEventSubscription(
        stack,
        "DatabaseEvents",
        subscription_name=settings.name,
        sns_topic_arn=topic.topic_arn,
        source_type="db-cluster",
        source_ids=[database.cluster.ref],
        event_categories=list(CLUSTER_EVENTS),
        enabled=True,
    )
