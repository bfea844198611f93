"""What only the job may know: the database users, barograph.toml, and the variables that this refers to."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm

from deploy.aws.exceptions import nag
from deploy.aws.settings import Settings

JOB_USER = "meteo_job"
DRILL_USER = "meteo_drill"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that this stack makes. The master user's is made by AWS, and its ARN is no output of the cluster."""

    user: sm.CfnSecret
    drill_user: sm.CfnSecret
    config: sm.CfnSecret
    variables: sm.CfnSecret

    @property
    def texts(self) -> list[str]:
        """The ARNs of those that are no user's."""
        return [self.config.ref, self.variables.ref]


def make_secrets(stack: Stack, settings: Settings, key: kms.Key) -> Secrets:
    """Two users with made-up passwords, and two secrets whose text a person writes after the deployment."""

    def make(construct_id: str, name: str, description: str, reason: str, **value: object) -> sm.CfnSecret:
        secret = sm.CfnSecret(
            stack,
            construct_id,
            name=f"{settings.name}/{name}",
            description=description,
            kms_key_id=key.key_arn,
            **value,  # type: ignore[arg-type, unused-ignore] # one of two properties, which differ in type
        )
        secret.apply_removal_policy(RemovalPolicy.RETAIN)
        nag(secret, reason, "AwsSolutions-SMG4")
        return secret

    def database_user(construct_id: str, name: str, user: str, description: str) -> sm.CfnSecret:
        return make(
            construct_id,
            name,
            description,
            "rotated by hand with the task `user` (docs/aws.md): AWS's rotation is a Lambda in the VPC with the "
            "master's rights, more than what it protects",
            generate_secret_string=sm.CfnSecret.GenerateSecretStringProperty(
                secret_string_template=f'{{"username": "{user}"}}',
                generate_string_key="password",
                password_length=32,
                exclude_punctuation=True,
            ),
        )

    user = database_user("JobUser", "job-user", JOB_USER, "database user of the nightly job: reads and writes")
    drill = database_user("DrillUser", "drill-user", DRILL_USER, "database user of the restore drill: reads")
    config = make(
        "Config",
        "config",
        "barograph.toml of the nightly job",
        "a configuration, which nothing can rotate",
        secret_string="# barograph.toml: docs/aws.md says what belongs here\n",  # noqa: S106 - a text to be replaced
    )
    variables = make(
        "Variables",
        "variables",
        "JSON: the variables that barograph.toml refers to",
        "tokens of other services, which only those can rotate",
        secret_string="{}",  # noqa: S106 - a text to be replaced
    )
    return Secrets(user, drill, config, variables)
