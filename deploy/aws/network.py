"""The VPC in three zones: public subnets for NAT gateways alone, private for the job, isolated for the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from deploy.aws.logs import make_log_group
from deploy.aws.settings import Settings

MONGODB_PORT = 27017
INTERFACES = {
    "Ecr": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
}
SESSIONS = {
    "Ssm": ec2.InterfaceVpcEndpointAwsService.SSM,
    "SsmMessages": ec2.InterfaceVpcEndpointAwsService.SSM_MESSAGES,
}


@dataclass(frozen=True, slots=True)
class Network:
    """Where things stand: the VPC, the subnets of the job and of the cluster, and who may talk to whom."""

    vpc: ec2.Vpc
    job_subnets: list[str]
    database_subnets: list[str]
    job_group: ec2.SecurityGroup
    database_group: ec2.SecurityGroup


def make_network(stack: Stack, settings: Settings, key: kms.Key) -> Network:
    """The VPC with its flow log, its endpoints and the two security groups."""
    closed = settings.egress == "endpoints"
    job_type = ec2.SubnetType.PRIVATE_ISOLATED if closed else ec2.SubnetType.PRIVATE_WITH_EGRESS
    subnets = [
        ec2.SubnetConfiguration(name="job", subnet_type=job_type, cidr_mask=24),
        ec2.SubnetConfiguration(name="database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
    ]
    if not closed:
        public = ec2.SubnetConfiguration(
            name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=26, map_public_ip_on_launch=False
        )
        subnets.insert(0, public)
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        vpc_name=settings.name,
        ip_addresses=ec2.IpAddresses.cidr(settings.vpc_cidr),
        availability_zones=list(settings.zones),
        nat_gateways={"nat": 1, "nat-per-zone": settings.zone_count, "endpoints": 0}[settings.egress],
        subnet_configuration=subnets,
        restrict_default_security_group=False,
    )
    vpc.add_flow_log(
        "Flow",
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(
            make_log_group(stack, settings, key, "FlowLogs", f"/{settings.name}/flow")
        ),
        traffic_type=ec2.FlowLogTrafficType.REJECT,
    )
    vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
    job, database = _groups(stack, vpc)
    if closed:
        _endpoints(stack, settings, vpc, job)
    return Network(
        vpc,
        vpc.select_subnets(subnet_group_name="job").subnet_ids,
        vpc.select_subnets(subnet_group_name="database").subnet_ids,
        job,
        database,
    )


def _groups(stack: Stack, vpc: ec2.Vpc) -> tuple[ec2.SecurityGroup, ec2.SecurityGroup]:
    """The job reaches the cluster and, over TLS, the world; nobody reaches the job, the job alone the cluster."""
    job = ec2.SecurityGroup(stack, "JobGroup", vpc=vpc, description="job: nothing comes in", allow_all_outbound=False)
    database = ec2.SecurityGroup(
        stack, "DatabaseGroup", vpc=vpc, description="DocumentDB: the job comes in", allow_all_outbound=False
    )
    job.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3, ECR, logs, secrets, the sources")
    job.add_egress_rule(database, ec2.Port.tcp(MONGODB_PORT), "the cluster")
    database.add_ingress_rule(job, ec2.Port.tcp(MONGODB_PORT), "the job")
    return job, database


def _endpoints(stack: Stack, settings: Settings, vpc: ec2.Vpc, job: ec2.SecurityGroup) -> None:
    """AWS's services inside of the VPC, for a job that has no way to the Internet."""
    group = ec2.SecurityGroup(
        stack, "EndpointGroup", vpc=vpc, description="endpoints: the job comes in", allow_all_outbound=False
    )
    group.add_ingress_rule(job, ec2.Port.tcp(443), "the job")
    for name, service in (INTERFACES | (SESSIONS if settings.runner == "ec2" else {})).items():
        vpc.add_interface_endpoint(
            f"{name}Endpoint",
            service=service,
            open=False,
            security_groups=[group],
            subnets=ec2.SubnetSelection(subnet_group_name="job"),
        )
