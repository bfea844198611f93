"""cfn-lint, checkov and cdk-nag on every variant, offline; what they are told to let stand has a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.aws.stacks import BASE, Stack, need_venv, synthesise, tool

LONG = 300


@pytest.mark.timeout(LONG)
def test_cfn_lint_finds_nothing(stack: Stack) -> None:
    """The template keeps to the resource types' schemas in its region."""
    done = tool("cfn-lint", "--regions", stack.settings.region, "--template", stack.path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.timeout(LONG)
def test_checkov_finds_nothing(stack: Stack) -> None:
    """None of its rules fails, and more than a hundred were held against the template."""
    done = tool(
        "checkov", "-f", stack.path, "--framework", "cloudformation", "-o", "json", "--quiet", "--skip-download"
    )
    assert done.returncode == 0, done.stdout
    summary = json.loads(done.stdout)["summary"]
    assert (summary["failed"], summary["parsing_errors"]) == (0, 0)
    assert summary["passed"] > 100


UNEXCUSED = """
import sys
from deploy.aws import app, database
database.nag = lambda *words: None
sys.exit(app.main())
"""


@pytest.mark.timeout(LONG)
def test_cdk_nag_finds_nothing_but_would(stack: Stack, tmp_path: Path) -> None:
    """The synthesis, which holds AWS Solutions' rules, has passed; it fails where an exception is taken away."""
    assert [item["violations"] for item in stack.report["pluginReports"] if item["conclusion"] != "success"] == []
    if stack.name == "small":
        broken = synthesise(tmp_path, BASE, "-c", UNEXCUSED)
        assert broken.returncode == 1
        assert "error: barograph/Database: AwsSolutions-DOC2: " in broken.stderr


@pytest.mark.timeout(LONG)
def test_the_protection_can_be_taken_off(tmp_path: Path) -> None:
    """The first step of tearing down is a deployment like any other."""
    need_venv()
    done = synthesise(tmp_path, {**BASE, "deletion_protection": "false"})
    assert done.returncode == 0, done.stderr
    resources = json.loads((tmp_path / "barograph.template.json").read_text(encoding="utf-8"))["Resources"]
    said = {item["Type"]: item["Properties"] for item in resources.values() if "Properties" in item}
    assert said["AWS::DocDB::DBCluster"]["DeletionProtection"] is False


@pytest.mark.timeout(LONG)
def test_settings_that_cannot_be_used_end_in_one_line(tmp_path: Path) -> None:
    """The app says which setting, and exits with 2."""
    need_venv()
    wrong = synthesise(tmp_path, {**BASE, "account": "1"})
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].startswith("error: barograph:account: '1' is not an account number")


@pytest.mark.timeout(LONG)
def test_every_exception_has_a_reason(stack: Stack) -> None:
    """No rule is switched off for the whole template but the one on named zones; the others stand on one resource."""
    assert stack.template["Metadata"]["cfn-lint"]["config"]["ignore_checks"] == ["W3010"]
    skipped = [
        item
        for resource in stack.template["Resources"].values()
        for item in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert {item["id"] for item in skipped} <= {"CKV_AWS_18", "CKV_AWS_27", "CKV_AWS_111", "CKV_AWS_297"}
    acknowledged = [
        (rule, reason)
        for entries in stack.metadata.values()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule, reason in entry["data"].items()
    ]
    assert len(acknowledged) > 10
    reasons = [*((item["id"], item["comment"]) for item in skipped), *acknowledged]
    assert [rule for rule, reason in reasons if len(reason) < 20] == []
