"""The services a network without internet reaches, and what may pass each door. Pure.

Source: interface endpoints by service (PrivateLink user guide), buckets that AWS's own software reads (aws-samples
data-perimeter-policy-examples, service-owned resources), read 2026-11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.aws.names import partition
from infra.aws.policies import (
    CHANGE_OBJECTS,
    HEARTBEAT,
    LOG_IN,
    METRICS,
    PULL,
    READ_OBJECT,
    RESIZE,
    SECRET,
    SESSION,
    WRITE_LOGS,
    document,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A service behind an interface endpoint."""

    name: str
    """As in com.amazonaws.REGION.NAME."""
    actions: Sequence[str]
    """What the machine asks of it."""


SERVICES = (
    Service(name="ecr.api", actions=(LOG_IN, *PULL)),
    Service(name="ecr.dkr", actions=PULL),
    Service(name="logs", actions=WRITE_LOGS),
    Service(name="monitoring", actions=(METRICS,)),
    Service(name="secretsmanager", actions=(SECRET,)),
    Service(name="autoscaling", actions=(RESIZE,)),
    Service(name="ssm", actions=(HEARTBEAT,)),
    Service(name="ssmmessages", actions=SESSION),
)
"""Not among them: kms, since S3, EBS and Secrets Manager ask it from their side; sts, since the machine's role comes
from its metadata; ec2messages, which agents since 3.3.40 need no more."""


def interface_document(service: Service, account_id: str) -> str:
    """What the machine asks for, by identities of this account only: other people's credentials do not pass."""
    return document(_allow("OwnAccount", service.actions, "*", account_id=account_id))


def gateway_document(region: str, account_id: str, buckets: Sequence[str]) -> str:
    """Own buckets by own identities; the layers of images, and the agent's packages, by whoever has a link to them."""
    arns = [f"arn:{partition(region)}:s3:::{name}" for name in buckets]
    amazons = [
        f"arn:{partition(region)}:s3:::{name}/*"
        for name in (f"prod-{region}-starport-layer-bucket", f"amazoncloudwatch-agent-{region}")
    ]
    return document(
        _allow("OwnBuckets", ("s3:ListBucket",), *arns, account_id=account_id),
        _allow(
            "OwnObjects", (READ_OBJECT, *CHANGE_OBJECTS), *(f"{arn}/*" for arn in arns), account_id=account_id
        ),
        # Links signed by ECR's own account, and public packages: there is no identity of ours to ask for.
        _allow("ImageLayersAndAgent", (READ_OBJECT,), *amazons),
    )


def _allow(
    sid: str, actions: Sequence[str], *resources: str, account_id: str | None = None
) -> Mapping[str, Any]:
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": "*",
        "Action": list(actions),
        "Resource": list(resources),
    }
    if account_id is not None:
        statement["Condition"] = {"StringEquals": {"aws:PrincipalAccount": account_id}}
    return statement
