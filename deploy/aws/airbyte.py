"""The user for Airbyte's S3 destination: the rights of docs/airbyte.md, on one folder."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from deploy.aws.buckets import Buckets
from deploy.aws.rights import allow, justify, on_folder, use_key
from deploy.aws.settings import Settings


def make_airbyte_user(stack: Stack, settings: Settings, buckets: Buckets, key: kms.Key) -> iam.User:
    """The user, through a group. It gets no access key here: that would stand in CloudFormation's own records."""
    bucket, folder = buckets.landing, settings.landing_prefix
    group = iam.Group(stack, "AirbyteGroup", group_name=f"{settings.name}-airbyte")
    grants = [
        *on_folder(
            "Landing",
            bucket,
            folder,
            ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
        ),
        allow("Bucket", ["s3:ListBucketMultipartUploads", "s3:GetBucketLocation"], [bucket.bucket_arn]),
        use_key(key, f"s3.{settings.region}.amazonaws.com", "kms:GenerateDataKey", "kms:Decrypt"),
    ]
    policy = iam.Policy(stack, "AirbytePolicy", groups=[group], statements=[grant.statement for grant in grants])
    justify(stack, policy, grants)
    return iam.User(stack, "AirbyteUser", user_name=f"{settings.name}-airbyte", groups=[group])
