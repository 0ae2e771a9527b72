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
    NO_NARROWER,
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
    kind: str = ""
    """Of resource, as in arn:aws:KIND with {at} for region and account; empty where all actions are on `*`."""


SERVICES = (
    Service(name="ecr.api", actions=(LOG_IN, *PULL), kind="ecr:{at}:repository/*"),
    Service(name="ecr.dkr", actions=PULL, kind="ecr:{at}:repository/*"),
    Service(name="logs", actions=WRITE_LOGS, kind="logs:{at}:log-group:*"),
    Service(name="monitoring", actions=(METRICS,)),
    Service(name="secretsmanager", actions=(SECRET,), kind="secretsmanager:{at}:secret:*"),
    Service(name="autoscaling", actions=(RESIZE,), kind="autoscaling:{at}:autoScalingGroup:*"),
    Service(name="ssm", actions=(HEARTBEAT,), kind="ec2:{at}:instance/*"),
    Service(name="ssmmessages", actions=SESSION),
)
"""Not among them: kms, since S3, EBS and Secrets Manager ask it from their side; sts, since the machine's role comes
from its metadata; ec2messages, which agents since 3.3.40 need no more."""


def interface_document(service: Service, region: str, account_id: str) -> str:
    """What the machine asks for, of this account's resources by this account's identities: nobody carries anything out
    by other credentials. Which resources is said by the role."""
    on_all = [action for action in service.actions if action in NO_NARROWER]
    own = [action for action in service.actions if action not in NO_NARROWER]
    arn = f"arn:{partition(region)}:{service.kind.format(at=f'{region}:{account_id}')}"
    return document(
        _allow("OwnResources", own, arn, account_id=account_id) if own else None,
        _allow("OwnAccount", on_all, "*", account_id=account_id) if on_all else None,
    )


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
