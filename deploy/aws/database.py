"""The cluster: Amazon DocumentDB 5.0, a primary and its replicas, each in a zone that is not left to chance."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import CfnDeletionPolicy, Stack
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_kms as kms

from deploy.aws.exceptions import nag
from deploy.aws.logs import make_log_group
from deploy.aws.network import MONGODB_PORT, Network
from deploy.aws.settings import Settings

ENGINE = "5.0.0"
MASTER = "barographmaster"

# docs/documentdb.md gives the reasons.
PARAMETERS = {
    "tls": "tls1.2+",
    "audit_logs": "enabled",
    "profiler": "enabled",
    "profiler_threshold_ms": "100",
    "default_collection_compression": "enabled",
    "ttl_monitor": "enabled",
}
LOGS = ("audit", "profiler")


@dataclass(frozen=True, slots=True)
class Database:
    """The cluster and the names of its instances, the first of which begins as the primary."""

    cluster: docdb.CfnDBCluster
    identifier: str
    instances: list[str]


def make_database(stack: Stack, settings: Settings, key: kms.Key, network: Network) -> Database:
    """The cluster with its subnets, parameters, instances and logs.

    The L2 construct cannot say in which zone an instance stands, so these are CloudFormation's own resources.
    """
    name = settings.name
    subnets = docdb.CfnDBSubnetGroup(
        stack,
        "DatabaseSubnets",
        db_subnet_group_description=f"{name}: three zones, no way to the Internet",
        subnet_ids=network.database_subnets,
    )
    parameters = docdb.CfnDBClusterParameterGroup(
        stack, "DatabaseParameters", family="docdb5.0", description=f"{name}: docs/aws.md", parameters=PARAMETERS
    )
    # AWS makes these by itself otherwise, and keeps them for ever.
    groups = [
        make_log_group(stack, settings, key, f"Database{log.title()}Logs", f"/aws/docdb/{name}/{log}") for log in LOGS
    ]
    cluster = docdb.CfnDBCluster(
        stack,
        "Database",
        db_cluster_identifier=name,
        engine_version=ENGINE,
        port=MONGODB_PORT,
        master_username=MASTER,
        manage_master_user_password=True,
        master_user_secret_kms_key_id=key.key_arn,
        db_subnet_group_name=subnets.ref,
        db_cluster_parameter_group_name=parameters.ref,
        vpc_security_group_ids=[network.database_group.security_group_id],
        storage_encrypted=True,
        kms_key_id=key.key_arn,
        storage_type=settings.storage_type,
        backup_retention_period=settings.backup_retention_days,
        preferred_backup_window=settings.backup_window,
        preferred_maintenance_window=settings.maintenance_window,
        deletion_protection=settings.deletion_protection,
        copy_tags_to_snapshot=True,
        enable_cloudwatch_logs_exports=list(LOGS),
    )
    cluster.cfn_options.deletion_policy = CfnDeletionPolicy.SNAPSHOT
    cluster.cfn_options.update_replace_policy = CfnDeletionPolicy.SNAPSHOT
    for group in groups:
        cluster.node.add_dependency(group)
    nag(
        cluster,
        "the security group lets only the job in; another port would hide nothing and surprise every client",
        "AwsSolutions-DOC2",
    )
    nag(
        cluster,
        "audit and profiler are all the logs that DocumentDB exports; logins and changes of schema are in audit",
        *(f"AwsSolutions-DOC5[LogExport::{name}]" for name in ("authenticate", "createIndex", "dropCollection")),
    )
    nag(
        cluster,
        "manage_master_user_password keeps them in Secrets Manager; the rule does not know it",
        "AwsSolutions-DOC3",
    )
    return Database(cluster, name, _instances(stack, settings, cluster))


def _instances(stack: Stack, settings: Settings, cluster: docdb.CfnDBCluster) -> list[str]:
    """One instance per zone in turn; the primary first, so that it is the one that the cluster begins with."""
    names: list[str] = []
    before: docdb.CfnDBInstance | None = None
    for number in range(settings.replicas + 1):
        instance = docdb.CfnDBInstance(
            stack,
            f"Instance{number + 1}",
            db_cluster_identifier=cluster.ref,
            db_instance_identifier=f"{settings.name}-{number + 1}",
            db_instance_class=settings.instance_class,
            availability_zone=settings.zones[number % settings.zone_count],
            preferred_maintenance_window=settings.maintenance_window,
            auto_minor_version_upgrade=True,
        )
        if before is not None:
            instance.node.add_dependency(before)
        before = instance
        names.append(f"{settings.name}-{number + 1}")
    return names


def endpoint(database: Database) -> str:
    """The cluster endpoint, which follows the primary."""
    return str(database.cluster.attr_endpoint)
