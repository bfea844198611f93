"""The tasks, their rights, the schedule, the instance and Airbyte's user."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.aws.stacks import ACCOUNT, BASE, Stack, as_list, need_venv, synthesise

pytestmark = pytest.mark.timeout(300)
SCRIPTS = Path(__file__).resolve().parents[2] / "deploy" / "aws" / "scripts"


def containers(stack: Stack) -> dict[str, dict[str, Any]]:
    """The one container of each task, by family."""
    found = {}
    for item in stack.all("ECS::TaskDefinition").values():
        (found[item["Family"]],) = item["ContainerDefinitions"]
    return found


def test_the_task_runs_the_script_of_this_folder(stack: Stack) -> None:
    """Word for word, so that what is tested is what runs."""
    said = {name: item["EntryPoint"] for name, item in containers(stack).items()}
    nightly = ["python3", "-c", (SCRIPTS / "nightly.py").read_text(encoding="utf-8")]
    assert said["barograph-nightly"] == said["barograph-restore"] == said["barograph-drill"] == nightly
    if "barograph-user" in said:
        assert said["barograph-user"][2] == (SCRIPTS / "make_user.py").read_text(encoding="utf-8")


def test_tasks_write_nowhere_but_in_two_folders(stack: Stack) -> None:
    """Read-only root, no capabilities, no root user, a size from the settings."""
    for item in containers(stack).values():
        assert item["User"] == "10001"
        assert item["ReadonlyRootFilesystem"] is True
        assert item["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert not item.get("Privileged", False)
        assert [mount["ContainerPath"] for mount in item["MountPoints"]] == ["/tmp", "/var/lib/barograph"]
    for task in stack.all("ECS::TaskDefinition").values():
        assert (task["Cpu"], task["Memory"]) == (str(stack.settings.task_cpu), str(stack.settings.task_memory_mib))
        assert task["NetworkMode"] == "awsvpc"


def test_what_is_secret_comes_from_secrets(stack: Stack) -> None:
    """User, password, configuration and tokens are references; plain variables name places."""
    item = containers(stack)["barograph-nightly"]
    plain = {entry["Name"] for entry in item["Environment"]}
    secret = {entry["Name"] for entry in item["Secrets"]}
    assert secret == {"DB_USERNAME", "DB_PASSWORD", "JOB_CONFIG", "JOB_VARIABLES"}
    assert plain == {
        "JOB_HOURS",
        "AWS_REGION",
        "BAROGRAPH_BACKUPS",
        "BAROGRAPH_DATA_DIR",
        "BAROGRAPH_LANDING",
        "BAROGRAPH_LOG_FORMAT",
        "DB_CA_FILE",
        "DB_HOST",
        "DB_NAME",
        "DB_PORT",
    }


def test_no_action_has_a_wildcard(stack: Stack) -> None:
    """Every action of every role is written out; a resource "*" stands only where AWS knows no other."""
    unbound = set()
    for name, item in stack.all("IAM::Policy").items():
        for statement in item["PolicyDocument"]["Statement"]:
            assert [action for action in as_list(statement["Action"]) if "*" in action] == [], name
            assert "NotAction" not in statement
            if "*" in as_list(statement["Resource"]):
                unbound |= set(as_list(statement["Action"]))
    sessions = {"ssm:UpdateInstanceInformation"}
    sessions |= {f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")}
    assert unbound == {"ecr:GetAuthorizationToken"} | (sessions if stack.name == "closed" else set())


def test_the_nightly_task_may_not_delete(stack: Stack) -> None:
    """It reads and writes its two folders, and has the key only through S3."""
    rights = stack.statements("NightlyRolePolicy")
    assert set(rights) == {"LandingList", "LandingObjects", "BackupsList", "BackupsObjects", "KeyS3"}
    objects = {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}
    for folder, bucket in (("meteo_sync", "Landing"), ("nightly", "Backups")):
        statement = rights[f"{bucket}Objects"]
        assert set(statement["Action"]) == objects
        assert statement["Resource"]["Fn::Join"][1][1] == f"/{folder}/*"
        assert rights[f"{bucket}List"]["Condition"]["StringLike"]["s3:prefix"] == [folder, f"{folder}/*"]
    assert rights["KeyS3"]["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}}


def test_the_restore_task_writes_nothing_to_s3(stack: Stack) -> None:
    """What brings the record back cannot spoil what it comes from."""
    actions = {action for item in stack.statements("RestoreRolePolicy").values() for action in as_list(item["Action"])}
    assert actions == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}


def test_roles_are_assumed_by_one_service_for_this_account(stack: Stack) -> None:
    """No role of a service can be used for somebody else's account."""
    for name, item in stack.all("IAM::Role").items():
        (statement,) = item["AssumeRolePolicyDocument"]["Statement"]
        if name.startswith(("Vpc", "Host")):
            continue
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, name


def test_the_drill_writes_one_name_and_deletes_nothing(stack: Stack) -> None:
    """It reads backups, and writes drill.json beside them; the landing zone is not its business."""
    rights = stack.statements("DrillRolePolicy")
    assert set(rights) == {"BackupsList", "BackupsObjects", "DrillNote", "KeyS3"}
    assert as_list(rights["BackupsObjects"]["Action"]) == ["s3:GetObject"]
    assert as_list(rights["DrillNote"]["Action"]) == ["s3:PutObject"]
    assert rights["DrillNote"]["Resource"]["Fn::Join"][1][1] == "/nightly/*/drill.json"
    assert rights["KeyS3"]["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}}


def test_the_drill_has_a_user_that_only_reads(stack: Stack) -> None:
    """Its task is shown its own user, and ECS may not even read the job's for it."""
    item = containers(stack)["barograph-drill"]
    assert item["Command"] == ["backup", "drill", "--scratch", "sqlite:////tmp/drill.db"]
    shown = {entry["Name"]: json.dumps(entry["ValueFrom"]) for entry in item["Secrets"]}
    assert "DrillUser" in shown["DB_USERNAME"]
    assert "DrillUser" in shown["DB_PASSWORD"]
    assert "JobUser" not in json.dumps(item["Secrets"])
    readable = json.dumps(stack.statements("DrillAgentRolePolicy")["Secrets"]["Resource"])
    assert "DrillUser" in readable
    assert "JobUser" not in readable
    (task,) = [one for one in stack.all("ECS::TaskDefinition").values() if one["Family"] == "barograph-drill"]
    assert task["EphemeralStorage"] == {"SizeInGiB": stack.settings.drill_storage_gib}


def test_a_drill_can_be_left_out(tmp_path: Path) -> None:
    """`drill=false` leaves no task, schedule, alarm or panel behind that waits for one."""
    need_venv()
    done = synthesise(tmp_path, {**BASE, "drill": "false"})
    assert done.returncode == 0, done.stderr
    resources = json.loads((tmp_path / "barograph.template.json").read_text(encoding="utf-8"))["Resources"]
    kinds = [item["Type"] for item in resources.values()]
    assert kinds.count("AWS::Scheduler::Schedule") == 1
    assert not [
        name for name in resources if name.startswith(("DrillTask", "DrillRole", "AlarmNodrill", "AlarmNoDrill"))
    ]


def test_commands_that_hang_are_ended(stack: Stack) -> None:
    """Fargate ends no task by itself: what is scheduled has its hours, what a person starts takes its time."""
    hours = {
        family: {entry["Name"]: entry["Value"] for entry in item["Environment"]}.get("JOB_HOURS")
        for family, item in containers(stack).items()
    }
    assert hours["barograph-nightly"] == hours["barograph-drill"] == str(stack.settings.command_hours)
    assert hours["barograph-restore"] is None


def test_the_schedules_are_wall_clocks(small: Stack, production: Stack, closed: Stack) -> None:
    """Midnight in Paris all year, Sundays at four; each may start its own task in this cluster and nothing else."""
    for stack in (small, production):
        schedules = {item["Name"]: item for item in stack.all("Scheduler::Schedule").values()}
        assert {name: item["ScheduleExpression"] for name, item in schedules.items()} == {
            "barograph-nightly": "cron(0 0 * * ? *)",
            "barograph-drill": "cron(0 4 ? * SUN *)",
        }
        for name, schedule in schedules.items():
            assert schedule["ScheduleExpressionTimezone"] == "Europe/Paris"
            assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
            assert schedule["State"] == ("ENABLED" if stack is production else "DISABLED")
            network = schedule["Target"]["EcsParameters"]["NetworkConfiguration"]["AwsvpcConfiguration"]
            assert network["AssignPublicIp"] == "DISABLED"
            assert len(network["Subnets"]) == 3
            kind = name.removeprefix("barograph-").title()
            task = schedule["Target"]["EcsParameters"]["TaskDefinitionArn"]["Ref"]
            assert task.startswith(f"{kind}Task")
            rights = stack.statements(f"{kind}ScheduleRolePolicy")
            assert set(rights) == {"Run", "Pass", "DeadLetter"}
            assert as_list(rights["Run"]["Action"]) == ["ecs:RunTask"]
            assert rights["Run"]["Resource"] == {"Ref": task}
            assert "ArnEquals" in rights["Run"]["Condition"]
            assert len(rights["Pass"]["Resource"]) == 2
    assert closed.all("Scheduler::Schedule") == {}


def test_the_instance_is_closed_and_small_enough_to_start(closed: Stack, small: Stack) -> None:
    """Private, encrypted, IMDSv2, no key pair; its user data stays below the 16 KiB that EC2 takes."""
    assert small.all("EC2::Instance") == {}
    host = closed.one("EC2::Instance")
    assert "KeyName" not in host
    assert "DisableApiTermination" not in host, "a new image replaces the instance"
    assert host["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    options = closed.one("EC2::LaunchTemplate")["LaunchTemplateData"]["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    parts = host["UserData"]["Fn::Base64"]["Fn::Join"][1]
    # A reference becomes at most the ARN of a secret.
    assert sum(len(part.encode()) if isinstance(part, str) else 120 for part in parts) < 16_384


def test_airbytes_user_has_its_folder_only(production: Stack, small: Stack) -> None:
    """The rights of docs/airbyte.md on the landing folder; no access key lies in the template."""
    assert small.all("IAM::User") == {}
    assert production.all("IAM::AccessKey") == {}
    rights = production.statements("AirbytePolicy")
    said = json.loads(
        re.findall(
            r"```json\n(\{\n  \"Version\".*?)```",
            (SCRIPTS.parents[2] / "docs" / "airbyte.md").read_text(encoding="utf-8"),
            re.DOTALL,
        )[0]
    )
    documented = {action for item in said["Statement"] for action in item["Action"]}
    given = {action for item in rights.values() for action in as_list(item["Action"])}
    assert given == documented | {"kms:GenerateDataKey", "kms:Decrypt"}
    assert rights["LandingObjects"]["Resource"]["Fn::Join"][1][1] == "/meteo_sync/*"


def test_outputs_say_what_comes_next(stack: Stack) -> None:
    """Every value that a command of docs/aws.md asks for is an output."""
    page = (SCRIPTS.parents[2] / "docs" / "aws.md").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\(output (\w+)\)", page))
    assert len(asked) > 5
    optional = {"AirbyteUserName", "UserTaskFamily", "Host", "NotStartedQueue"}
    assert asked - optional <= stack.template["Outputs"].keys()
