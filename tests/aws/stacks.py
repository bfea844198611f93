"""Stacks made offline, as plain documents: the CDK runs in the .venv-aws of its own, the tests in theirs."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.aws.settings import PREFIX, Settings

ROOT: Final = Path(__file__).resolve().parents[2]
VENV: Final = ROOT / ".venv-aws"
ACCOUNT: Final = "123456789012"
MASTER: Final = f"arn:aws:secretsmanager:eu-west-3:{ACCOUNT}:secret:rds!cluster-1a2b-Xyz"

BASE: Final[dict[str, Any]] = {"account": ACCOUNT, "image": "barograph:0.1.0", "alert_email": "meteo@example.org"}
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "small": BASE,
    "production": {**BASE, "profile": "production", "master_secret_arn": MASTER, "airbyte_user": "true"},
    "closed": {**BASE, "egress": "endpoints", "runner": "ec2", "master_secret_arn": MASTER},
}
"""Both profiles as they come, with the options that each is likely to have; and one without a way out, run on EC2."""


def context(given: dict[str, Any]) -> dict[str, Any]:
    """Settings as the CDK's context has them."""
    return {f"{PREFIX}{name}": value for name, value in given.items()}


def tool(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of .venv-aws, with nothing of this machine's AWS settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_", "BAROGRAPH_"))}
    env |= {"PATH": f"{VENV / 'bin'}:{env['PATH']}", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [VENV / "bin" / words[0], *words[1:]],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def synthesise(folder: Path, given: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the app as `cdk synth` does, or other words of Python in its place."""
    variables = {"CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context(given))}
    return tool("python", *(words or ("-m", "deploy.aws.app")), **variables)


@dataclass(frozen=True, slots=True)
class Stack:
    """A synthesised stack: settings, template, the checks' report, and what the CDK noted of each construct."""

    name: str
    path: Path
    settings: Settings
    template: dict[str, Any]
    report: dict[str, Any]
    metadata: dict[str, list[dict[str, Any]]]

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of each resource of a type, by logical id."""
        return {
            name: item.get("Properties", {})
            for name, item in self.template["Resources"].items()
            if item["Type"] == f"AWS::{kind}"
        }

    def one(self, kind: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        (found,) = self.all(kind).values()
        return found

    def resource(self, logical_id: str) -> dict[str, Any]:
        """A resource with everything that stands beside its properties."""
        found: dict[str, Any] = self.template["Resources"][logical_id]
        return found

    def named(self, kind: str, beginning: str) -> dict[str, Any]:
        """The properties of the resource of a type whose logical id begins so."""
        (found,) = [item for name, item in self.all(kind).items() if name.startswith(beginning)]
        return found

    def statements(self, policy: str) -> dict[str, dict[str, Any]]:
        """The statements of the policy whose logical id begins so, by their Sid."""
        document = self.named("IAM::Policy", policy)["PolicyDocument"]
        return {item["Sid"]: item for item in document["Statement"]}


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as its element."""
    return value if isinstance(value, list) else [value]


def need_venv() -> None:
    """Skip where the environment of the CDK was not made."""
    if not (VENV / ".installed").exists() and not (VENV / "bin" / "cfn-lint").exists():
        pytest.skip("the CDK is not installed here: `make test-aws` makes .venv-aws (1.1 GB) and runs these")
