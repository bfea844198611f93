"""The buckets: the landing zone, the backups, and who asked for what in them."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from deploy.aws.exceptions import checkov, nag
from deploy.aws.settings import Settings

ABORTED_DAYS = 7
ACCESS_LOG_DAYS = 90
OLD_VERSIONS_DAYS = 90


@dataclass(frozen=True, slots=True)
class Buckets:
    """The two buckets of the job."""

    landing: s3.Bucket
    backups: s3.Bucket


def make_buckets(stack: Stack, settings: Settings, key: kms.Key) -> Buckets:
    """The buckets. All stay when the stack goes: the landing zone is the source of truth."""
    place = f"{settings.account}-{settings.region}"
    access = _access_bucket(stack, f"{settings.name}-access-{place}")
    landing = _bucket(
        stack,
        "Landing",
        f"{settings.name}-landing-{place}",
        key,
        access,
        # The current object never expires: a rebuild reads the first one as well as the last.
        s3.LifecycleRule(
            id="cheaper",
            transitions=[
                s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(90))
            ],
            noncurrent_version_expiration=Duration.days(OLD_VERSIONS_DAYS),
        ),
    )
    backups = _bucket(
        stack,
        "Backups",
        f"{settings.name}-backups-{place}",
        key,
        access,
        # The job may not delete, so this is what prunes.
        s3.LifecycleRule(
            id="expire",
            transitions=[
                s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(30))
            ],
            expiration=Duration.days(settings.backups_expire_days),
            noncurrent_version_expiration=Duration.days(OLD_VERSIONS_DAYS),
        ),
    )
    return Buckets(landing, backups)


def _access_bucket(stack: Stack, name: str) -> s3.Bucket:
    bucket = s3.Bucket(
        stack,
        "Access",
        bucket_name=name,
        # S3 does not deliver access logs into a bucket whose default key is a customer's.
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="expire",
                expiration=Duration.days(ACCESS_LOG_DAYS),
                noncurrent_version_expiration=Duration.days(ABORTED_DAYS),
                abort_incomplete_multipart_upload_after=Duration.days(ABORTED_DAYS),
            )
        ],
        removal_policy=RemovalPolicy.RETAIN,
    )
    reason = "it is where access logs go; logging its own accesses into itself would never end"
    nag(bucket, reason, "AwsSolutions-S1")
    checkov(bucket, reason, "CKV_AWS_18")
    return bucket


def _bucket(
    stack: Stack, construct_id: str, name: str, key: kms.Key, access: s3.Bucket, rule: s3.LifecycleRule
) -> s3.Bucket:
    return s3.Bucket(
        stack,
        construct_id,
        bucket_name=name,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        server_access_logs_bucket=access,
        server_access_logs_prefix=f"{construct_id.lower()}/",
        lifecycle_rules=[
            rule,
            s3.LifecycleRule(id="abort", abort_incomplete_multipart_upload_after=Duration.days(ABORTED_DAYS)),
        ],
        removal_policy=RemovalPolicy.RETAIN,
    )
