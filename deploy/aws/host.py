"""The other way to run the job: an EC2 instance with barograph's systemd units, reached by Session Manager alone."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from deploy.aws.exceptions import checkov, nag
from deploy.aws.host_files import PLACES, SCRIPT, filled, values_of
from deploy.aws.job import DRILL_COMMAND, Shared, image_uri, nightly_rights, plain_environment
from deploy.aws.rights import allow, justify, make_role, pull_image, read_secrets, use_key, write_logs
from deploy.aws.settings import Settings

IMAGE_GIB: Final = 20
"""Room for the system and the image; the drill's comes on top."""


def make_host(stack: Stack, settings: Settings, shared: Shared, topic: sns.Topic) -> ec2.Instance:
    """The instance. Its role is the nightly task's, with the image, the logs, the secrets and sessions besides."""
    role = make_role(
        stack,
        "HostRole",
        "ec2.amazonaws.com",
        "the instance that runs the nightly job",
        [
            *nightly_rights(settings, shared),
            *pull_image(stack, settings),
            write_logs(shared.log_group),
            read_secrets([shared.secrets.user.ref, shared.secrets.drill_user.ref, *shared.secrets.texts]),
            use_key(shared.key, f"secretsmanager.{settings.region}.amazonaws.com", "kms:Decrypt"),
        ],
    )
    _sessions(stack, role)
    architecture = (
        ec2.AmazonLinuxCpuType.X86_64 if settings.task_architecture == "X86_64" else ec2.AmazonLinuxCpuType.ARM_64
    )
    instance = ec2.Instance(
        stack,
        "Host",
        instance_name=f"{settings.name}-nightly",
        vpc=shared.network.vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_group_name="job"),
        security_group=shared.network.job_group,
        instance_type=ec2.InstanceType(settings.ec2_instance_type),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=architecture),
        role=role,
        require_imdsv2=True,
        detailed_monitoring=True,
        ebs_optimized=True,
        user_data=_user_data(stack, settings, shared),
        user_data_causes_replacement=True,
        block_devices=[
            ec2.BlockDevice(
                device_name="/dev/xvda",
                volume=ec2.BlockDeviceVolume.ebs(
                    IMAGE_GIB + settings.drill_storage_gib,
                    encrypted=True,
                    kms_key=shared.key,
                    volume_type=ec2.EbsDeviceVolumeType.GP3,
                ),
            )
        ],
    )
    nag(
        instance,
        "it holds nothing: a new image replaces the instance, which the protection would leave running beside the new",
        "AwsSolutions-EC29",
    )
    alarm = cloudwatch.Alarm(
        stack,
        "HostAlarm",
        alarm_name=f"{settings.name}-host",
        alarm_description="The instance fails its status checks",
        metric=cloudwatch.Metric(
            namespace="AWS/EC2",
            metric_name="StatusCheckFailed",
            dimensions_map={"InstanceId": instance.instance_id},
            statistic="Maximum",
            period=Duration.minutes(5),
        ),
        threshold=1,
        evaluation_periods=3,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        # An instance that was stopped has no checks to fail.
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
    alarm.add_ok_action(actions.SnsAction(topic))
    return instance


def _sessions(stack: Stack, role: iam.Role) -> None:
    """Session Manager in place of SSH: AmazonSSMManagedInstanceCore without parameters, inventory and patches."""
    grant = allow(
        "Sessions",
        [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        ["*"],
        wildcard='these actions know no resources: the service authorises them for "*" only',
    )
    policy = iam.Policy(stack, "HostSessions", roles=[role], statements=[grant.statement])
    justify(stack, policy, [grant])
    checkov(policy, str(grant.wildcard), "CKV_AWS_111")


def _user_data(stack: Stack, settings: Settings, shared: Shared) -> ec2.UserData:
    """What the instance does at its first start: its files, then the image and the units that this brings."""
    image = image_uri(stack, settings)
    values = values_of(
        settings,
        image=image,
        registry=image.split("/", maxsplit=1)[0],
        log_group=shared.log_group.log_group_name,
        drill=" ".join(DRILL_COMMAND),
        user_secret=shared.secrets.user.ref,
        drill_secret=shared.secrets.drill_user.ref,
        config_secret=shared.secrets.config.ref,
        variables_secret=shared.secrets.variables.ref,
    )
    environment = "".join(f"{name}={value}\n" for name, value in plain_environment(settings, shared).items())
    files = {
        "/etc/barograph/environment": ("0644", environment),
        "/usr/local/lib/barograph/nightly.py": ("0644", SCRIPT.read_text(encoding="utf-8")),
        **{place: (mode, filled(name, values)) for name, (place, mode) in PLACES.items()},
    }
    data = ec2.UserData.for_linux(shebang="#!/bin/bash -eu")
    data.add_commands("set -o pipefail", "dnf install -y -q docker python3 logrotate amazon-cloudwatch-agent")
    for path, (mode, text) in files.items():
        data.add_commands(f"install -D -m {mode} /dev/stdin {path} <<'END_OF_FILE'\n{text}END_OF_FILE")
    data.add_commands(filled("first-start", values).rstrip("\n"))
    return data
