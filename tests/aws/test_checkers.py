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


@pytest.mark.timeout(LONG)
def test_cdk_nag_was_asked_and_finds_nothing(stack: Stack) -> None:
    """AWS Solutions' rules, and CloudFormation's own, at every synthesis."""
    reports = {item["pluginName"]: item for item in stack.report["pluginReports"]}
    assert "AwsSolutions" in reports
    assert [item["violations"] for item in reports.values() if item["conclusion"] != "success"] == []


@pytest.mark.timeout(LONG)
def test_a_broken_rule_fails_the_synthesis(tmp_path: Path) -> None:
    """The checks bite: without deletion protection nothing is made, and the rule is named."""
    need_venv()
    done = synthesise(tmp_path, {**BASE, "deletion_protection": "false", "runner": "ec2"})
    assert done.returncode == 0, done.stderr
    wrong = synthesise(tmp_path / "wrong", {**BASE, "account": "1"})
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
    assert {item["id"] for item in skipped} <= {"CKV_AWS_18", "CKV_AWS_111"}
    assert [item for item in skipped if len(item["comment"]) < 20] == []
