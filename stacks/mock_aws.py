"""What AWS would answer of its own to a resource, as far as others take it up."""

from collections.abc import Mapping
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
"""Of nobody: the account that AWS's own documentation has."""


def aws_answers(token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs beside the inputs; an ARN of the right form for everything."""
    service, _, kind = token.split(":")[1].partition("/")
    called = str(inputs.get("name") or inputs.get("bucket") or name)
    place = "::" if service in ("iam", "s3") else f"{REGION}:{ACCOUNT}:"
    arns = {
        "bucket": f"arn:aws:s3:::{called}",
        "logGroup": f"arn:aws:logs:{place}log-group:{called}",
        "secret": f"arn:aws:secretsmanager:{place}secret:{called}-AbCdEf",
        "key": f"arn:aws:kms:{place}key/{name}-id",
        **{one: f"arn:aws:iam::{ACCOUNT}:{one}/{called}" for one in ("role", "policy")},
        "instanceProfile": f"arn:aws:iam::{ACCOUNT}:instance-profile/{called}",
    }
    more: dict[str, dict[str, Any]] = {
        "key": {"keyId": f"{name}-id"},
        "vpcEndpoint": {"prefixListId": "pl-00000000"},
        "repository": {"repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{called}"},
        "launchTemplate": {"latestVersion": 1},
    }
    return {"arn": arns.get(kind, f"arn:aws:{service}:{place}{kind}/{called}"), **more.get(kind, {})}
