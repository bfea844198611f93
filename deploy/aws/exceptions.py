"""Findings of the checkers that stand, each with its reason, on the construct that has them."""

from __future__ import annotations

from typing import Any

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct


def nag(construct: IConstruct, reason: str, *rules: str) -> None:
    """Let rules of cdk-nag stand; a rule with findings is named with the finding: `AwsSolutions-IAM5[Resource::*]`."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def checkov(construct: IConstruct, reason: str, *rules: str) -> None:
    """Let rules of checkov stand on the one resource of a construct."""
    resource = _resource(construct)
    metadata: dict[str, Any] = resource.cfn_options.metadata or {}
    skipped = metadata.get("checkov", {}).get("skip", [])
    resource.cfn_options.metadata = {
        **metadata,
        "checkov": {"skip": [*skipped, *({"id": rule, "comment": reason} for rule in rules)]},
    }


def _resource(construct: IConstruct) -> Any:
    """The CloudFormation resource behind a construct."""
    return construct if CfnResource.is_cfn_resource(construct) else construct.node.default_child
