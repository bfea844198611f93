"""Who may do what: statements with every action written out, on resources that are named.

A wildcard in a resource needs a reason, which goes to cdk-nag with the very finding that it is for; one without fails
the synthesis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from deploy.aws.exceptions import nag
from deploy.aws.settings import Settings

READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload")


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions allowed on resources, under conditions; and why a resource has a wildcard, where one has."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, Any]
    wildcard: str | None = None

    @property
    def statement(self) -> iam.PolicyStatement:
        """As a policy has it."""
        return iam.PolicyStatement(
            sid=self.sid, actions=list(self.actions), resources=list(self.resources), conditions=dict(self.conditions)
        )


def allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], wildcard: str | None = None, **conditions: Any
) -> Grant:
    """A grant."""
    return Grant(sid, actions, resources, conditions, wildcard)


def on_folder(sid: str, bucket: s3.Bucket, folder: str, actions: Sequence[str]) -> list[Grant]:
    """The actions on what lies in a folder of a bucket, and the right to list that folder and no other."""
    listed = {"s3:prefix": [folder, f"{folder}/*"]}
    return [
        allow(f"{sid}List", ["s3:ListBucket"], [bucket.bucket_arn], StringLike=listed),
        allow(
            f"{sid}Objects",
            actions,
            [bucket.arn_for_objects(f"{folder}/*")],
            wildcard="the objects of one folder, whose names come with the days",
        ),
    ]


def use_key(key: kms.Key, service: str, *actions: str) -> Grant:
    """The key, but only through one service."""
    through = {"kms:ViaService": service}
    return allow(f"Key{service.split('.', maxsplit=1)[0].title()}", actions, [key.key_arn], StringEquals=through)


def pull_image(stack: Stack, settings: Settings) -> list[Grant]:
    """The image of the job."""
    repository = stack.format_arn(service="ecr", resource="repository", resource_name=settings.repository)
    layers = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    return [
        allow(
            "EcrToken",
            ["ecr:GetAuthorizationToken"],
            ["*"],
            wildcard="AWS gives this token for the whole registry; what it opens is said by EcrPull",
        ),
        allow("EcrPull", layers, [repository]),
    ]


def write_logs(group: logs.LogGroup) -> Grant:
    """Streams of one log group; the ARN of a group ends in :*, its streams."""
    return allow(
        "Logs",
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        [group.log_group_arn],
        wildcard="the streams of one log group",
    )


def read_secrets(arns: Sequence[str]) -> Grant:
    """The values of these secrets."""
    return allow("Secrets", ["secretsmanager:GetSecretValue"], arns)


def make_role(stack: Stack, construct_id: str, service: str, description: str, grants: Sequence[Grant]) -> iam.Role:
    """A role for one service, started by this account only, with these rights."""
    conditions = {} if service.startswith("ec2") else {"StringEquals": {"aws:SourceAccount": stack.account}}
    role = iam.Role(
        stack,
        construct_id,
        description=description,
        assumed_by=iam.ServicePrincipal(service, conditions=conditions),
    )
    policy = iam.Policy(stack, f"{construct_id}Policy", roles=[role], statements=[grant.statement for grant in grants])
    justify(stack, policy, grants)
    return role


def justify(stack: Stack, policy: iam.Policy, grants: Sequence[Grant]) -> None:
    """Give cdk-nag the reason of each wildcard."""
    for grant in grants:
        for resource in grant.resources:
            text = _flat(stack.resolve(resource))
            if grant.wildcard is not None and "*" in text:
                nag(policy, grant.wildcard, f"AwsSolutions-IAM5[Resource::{text}]")


def _flat(value: Any) -> str:
    """A resolved ARN as cdk-nag writes it: a reference stands in <>."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(_flat(part) for part in value["Fn::Join"][1])
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    return f"<{value['Ref']}>"
