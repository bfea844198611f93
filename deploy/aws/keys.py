"""One key for everything that is kept: volumes, backups, buckets, secrets, logs, alarms."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from deploy.aws.settings import Settings

# Who publishes to the encrypted topic: alarms, events of the cluster, ended tasks. EventBridge does not say for which
# account it comes, so a condition on that would silence it.
PUBLISHERS = {"cloudwatch.amazonaws.com": True, "events.rds.amazonaws.com": True, "events.amazonaws.com": False}
"""Whether a service says for which account it comes."""


def for_account(settings: Settings) -> dict[str, dict[str, str]]:
    """The condition that a service comes for this account."""
    return {"StringEquals": {"aws:SourceAccount": settings.account}}


def make_key(stack: Stack, settings: Settings) -> kms.Key:
    """The key. It stays when the stack goes: without it no snapshot and no object could be read any more."""
    key = kms.Key(
        stack,
        "Key",
        alias=f"alias/{settings.name}",
        description=f"{settings.name}: database, buckets, secrets, logs",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    logs = f"arn:{stack.partition}:logs:{settings.region}:{settings.account}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="Logs",
            principals=[iam.ServicePrincipal(f"logs.{settings.region}.amazonaws.com")],
            actions=[
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "kms:DescribeKey",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
        )
    )
    for number, (service, tells) in enumerate(PUBLISHERS.items()):
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid=f"Publisher{number}",
                principals=[iam.ServicePrincipal(service)],
                actions=["kms:GenerateDataKey", "kms:Decrypt"],
                resources=["*"],
                conditions=for_account(settings) if tells else {},
            )
        )
    return key
