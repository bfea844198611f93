"""What is kept: buckets, cluster, secrets, and the key for all of them."""

from __future__ import annotations

import json

import pytest

from tests.aws.stacks import MASTER, Stack

pytestmark = pytest.mark.timeout(300)


def test_buckets_are_private_encrypted_and_versioned(stack: Stack) -> None:
    """All three, and none goes with the stack."""
    buckets = stack.all("S3::Bucket")
    assert len(buckets) == 3
    for name, item in buckets.items():
        assert set(item["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(item["PublicAccessBlockConfiguration"]) == 4
        assert item["VersioningConfiguration"] == {"Status": "Enabled"}
        (rule,) = item["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        algorithm = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        assert algorithm == ("AES256" if name.startswith("Access") else "aws:kms")
        assert stack.resource(name)["DeletionPolicy"] == stack.resource(name)["UpdateReplacePolicy"] == "Retain"


def test_buckets_take_tls_only(stack: Stack) -> None:
    """Each bucket's policy denies everything that comes without TLS, or with an old one."""
    policies = stack.all("S3::BucketPolicy")
    assert {item["Bucket"]["Ref"] for item in policies.values()} == stack.all("S3::Bucket").keys()
    for item in policies.values():
        denied = [rule for rule in item["PolicyDocument"]["Statement"] if rule["Effect"] == "Deny"]
        conditions = json.dumps([rule["Condition"] for rule in denied])
        assert '{"Bool": {"aws:SecureTransport": "false"}}' in conditions
        assert '"s3:TlsVersion": 1.2' in conditions
        assert all(rule["Principal"] == {"AWS": "*"} for rule in denied)


def test_lifecycles(stack: Stack) -> None:
    """The landing zone never loses a current object; backups expire; broken uploads and old versions go."""
    rules = {
        name.rstrip("0123456789ABCDEF"): {rule["Id"]: rule for rule in item["LifecycleConfiguration"]["Rules"]}
        for name, item in stack.all("S3::Bucket").items()
    }
    landing = next(item for name, item in rules.items() if name.startswith("Landing"))
    backups = next(item for name, item in rules.items() if name.startswith("Backups"))
    assert not any("ExpirationInDays" in rule for rule in landing.values())
    assert landing["cheaper"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert backups["expire"]["ExpirationInDays"] == stack.settings.backups_expire_days
    for item in (landing, backups):
        assert item["abort"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_a_primary_and_two_replicas_in_three_zones(stack: Stack) -> None:
    """Three instances of the class, each in another zone, the first made first: it becomes the primary."""
    instances = stack.all("DocDB::DBInstance")
    assert [item["AvailabilityZone"] for item in instances.values()] == list(stack.settings.zones)
    assert {item["DBInstanceClass"] for item in instances.values()} == {stack.settings.instance_class}
    first, second, third = instances
    assert first in stack.resource(second)["DependsOn"]
    assert second in stack.resource(third)["DependsOn"]


def test_the_cluster_is_encrypted_backed_up_and_protected(stack: Stack) -> None:
    """Every promise about the cluster, and what happens to it when the stack goes: a last snapshot."""
    cluster, said = stack.one("DocDB::DBCluster"), stack.settings
    assert cluster["EngineVersion"].startswith("5.0")
    assert cluster["StorageEncrypted"] is True
    assert "Fn::GetAtt" in cluster["KmsKeyId"]
    assert cluster["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in cluster
    assert cluster["BackupRetentionPeriod"] == said.backup_retention_days >= 7
    assert cluster["PreferredBackupWindow"] == said.backup_window
    assert cluster["PreferredMaintenanceWindow"] == said.maintenance_window
    assert cluster["DeletionProtection"] is True
    assert sorted(cluster["EnableCloudwatchLogsExports"]) == ["audit", "profiler"]
    logical = next(iter(stack.all("DocDB::DBCluster")))
    assert stack.resource(logical)["DeletionPolicy"] == stack.resource(logical)["UpdateReplacePolicy"] == "Snapshot"
    parameters = stack.one("DocDB::DBClusterParameterGroup")
    assert parameters["Family"] == "docdb5.0"
    assert {key: parameters["Parameters"][key] for key in ("tls", "audit_logs", "profiler")} == {
        "tls": "tls1.2+",
        "audit_logs": "enabled",
        "profiler": "enabled",
    }
    assert parameters["Parameters"]["default_collection_compression"] == "enabled"


def test_no_password_stands_in_the_template(stack: Stack) -> None:
    """The users' passwords are made by Secrets Manager; the two secrets that people fill begin empty."""
    secrets = {item["Name"]: item for item in stack.all("SecretsManager::Secret").values()}
    assert secrets.keys() == {f"barograph/{name}" for name in ("job-user", "drill-user", "config", "variables")}
    for name, user in (("job-user", "meteo_job"), ("drill-user", "meteo_drill")):
        made = secrets[f"barograph/{name}"]["GenerateSecretString"]
        assert made["PasswordLength"] >= 32
        assert json.loads(made["SecretStringTemplate"]) == {"username": user}
        assert "SecretString" not in secrets[f"barograph/{name}"]
    assert all("KmsKeyId" in item for item in secrets.values())
    text = json.dumps(stack.template)
    assert "mongodb://{user}:{password}@" in text, "the script itself composes the URI"
    assert text.count("mongodb://") == text.count("mongodb://{user}")


def test_one_key_that_turns_and_stays(stack: Stack) -> None:
    """Rotated each year, and never removed with the stack: snapshots and objects need it."""
    (name,) = stack.all("KMS::Key")
    assert stack.one("KMS::Key")["EnableKeyRotation"] is True
    assert stack.resource(name)["DeletionPolicy"] == "Retain"


def test_the_masters_secret_is_shown_to_one_task_only(small: Stack, production: Stack) -> None:
    """Before its ARN is known the task does not exist and the schedules sleep; afterwards only `user` has it."""
    assert not any(name.startswith("UserTask") for name in small.all("ECS::TaskDefinition"))
    for stack, state in ((small, "DISABLED"), (production, "ENABLED")):
        assert [item["State"] for item in stack.all("Scheduler::Schedule").values()] == [state, state]
    holders = {
        item["Family"]
        for item in production.all("ECS::TaskDefinition").values()
        if MASTER in json.dumps(item["ContainerDefinitions"])
    }
    assert holders == {"barograph-user"}
    policies = [name for name, item in production.all("IAM::Policy").items() if MASTER in json.dumps(item)]
    assert [name for name in policies if not name.startswith("UserAgentRole")] == []
