"""The CDK's entry point: `cdk deploy` in this folder runs it; `python -m deploy.aws.app` alone writes the template.

It holds the stack against cdk-nag's AWS Solutions rules at every synthesis, and fails where one is broken.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from deploy.aws.settings import PREFIX, Settings, SettingsError
from deploy.aws.stack import make_stack

FLAGS: Final[dict[str, Any]] = {
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/core:validateAgainstDefaultRules": True,
}


def main() -> int:
    """Write the template of the settings in the context; 1 where a rule is broken, 2 where they cannot be used."""
    app = App(context=FLAGS, analytics_reporting=False)
    context = dict(app.node.get_all_context())
    context.setdefault(f"{PREFIX}account", os.environ.get("CDK_DEFAULT_ACCOUNT", ""))
    try:
        settings = Settings.from_context(context)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    make_stack(app, settings)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        # jsii knows no other exception, and what it prints itself may be lost when Python ends first.
        if "ValidationFailed" not in str(error):
            raise
        sys.stderr.writelines(f"error: {line}\n" for line in violations(Path(app.outdir) / "validation-report.json"))
        return 1
    return 0


def violations(report: Path) -> Iterator[str]:
    """What the checks found, a line for each construct and rule."""
    for plugin in json.loads(report.read_text(encoding="utf-8"))["pluginReports"]:
        for found in plugin["violations"]:
            for construct in found["violatingConstructs"]:
                yield f"{construct['constructPath']}: {found['ruleName']}: {found['description']}"


if __name__ == "__main__":
    sys.exit(main())
