"""Log groups: every one encrypted, and kept for as long as the settings say."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from deploy.aws.settings import Settings


def make_log_group(stack: Stack, settings: Settings, key: kms.Key, construct_id: str, name: str) -> logs.LogGroup:
    """A log group of that name."""
    return logs.LogGroup(
        stack,
        construct_id,
        log_group_name=name,
        encryption_key=key,
        retention=logs.RetentionDays(_retention(settings.log_retention_days)),
        removal_policy=RemovalPolicy.DESTROY,
    )


def _retention(days: int) -> logs.RetentionDays:
    names = {
        1: "ONE_DAY",
        3: "THREE_DAYS",
        5: "FIVE_DAYS",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        60: "TWO_MONTHS",
        90: "THREE_MONTHS",
        120: "FOUR_MONTHS",
        150: "FIVE_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
        400: "THIRTEEN_MONTHS",
        545: "EIGHTEEN_MONTHS",
        731: "TWO_YEARS",
    }
    return logs.RetentionDays[names[days]]
