"""Who may do what, as documents of IAM: pure values made of names, so that each can be read and checked alone.

No action is a wildcard anywhere. Resources are, where AWS knows no narrower one: `NO_NARROWER` names them and says why.
Source of actions, resources and condition keys: service authorization reference, read 2026-11.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.aws.group import group_arn
from infra.aws.names import partition

Statement = Mapping[str, Any]

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOG_IN = "ecr:GetAuthorizationToken"
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
METRICS = "cloudwatch:PutMetricData"
SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 the name of a right
RESIZE = "autoscaling:UpdateAutoScalingGroup"
HEARTBEAT = "ssm:UpdateInstanceInformation"
SESSION = (
    "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
)  # fmt: skip
"""With the heartbeat all that Session Manager needs (its user guide, minimal instance profile). The managed policy
AmazonSSMManagedInstanceCore would add reading any document and parameter of the account, and Run Command."""
READ_OBJECT, WRITE_OBJECT = "s3:GetObject", "s3:PutObject"
CHANGE_OBJECTS = (
    WRITE_OBJECT, "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
)  # fmt: skip
"""DeleteObject hides an object behind a marker; the versions below it stay, which takes DeleteObjectVersion."""

NO_NARROWER = {
    LOG_IN: "a token is for the account's whole registry; what it opens is bound by the repository's own statement",
    METRICS: "metrics are no resources; the condition cloudwatch:namespace binds it instead",
    **dict.fromkeys(
        SESSION, "channels have no ARN before they are opened; they carry this instance's own sessions only"
    ),
}
"""Rights that stand on `*`, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostPlaces:
    """What the machine works on, as ARNs and names."""

    account_id: str
    region: str
    stack: str
    """Its runs lie under runs/STACK/."""
    bucket_arn: str
    key_arn: str
    log_group_arn: str
    namespace: str
    groups: str
    """Names of the groups that it may end, as a pattern: those of all jobs of its stack. Were it the newest job's group
    alone, an `up` with another job would take its end from a machine that still runs."""
    secret_arn: str | None = None
    repository_arn: str | None = None


def document(*statements: Statement | None) -> str:
    """JSON of a policy; statements that are None are left out."""
    return json.dumps({"Version": "2012-10-17", "Statement": [one for one in statements if one is not None]})


def host_document(places: HostPlaces) -> str:
    """Rights of the training machine. It is the boundary of its role as well: nothing attached later adds to them."""
    return document(
        *_bucket(places),
        *_keys(places),
        *_words(places),
        _secret(places),
        *_image(places),
        _end(places),
        *_session(places),
    )


def trust_document(service: str, conditions: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Lets one service of AWS take a role."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            **({"Condition": conditions} if conditions else {}),
        }
    )


def for_own_account(account_id: str, source: str) -> Mapping[str, Mapping[str, str]]:
    """Condition on a trust: the service acts for this account's own resource, and not for somebody else's."""
    return {"StringEquals": {"aws:SourceAccount": account_id}, "ArnLike": {"aws:SourceArn": source}}


def _bucket(places: HostPlaces) -> Sequence[Statement]:
    bucket, runs = places.bucket_arn, f"runs/{places.stack}"
    return (
        _allow("ReadDataAndRuns", READ_OBJECT, f"{bucket}/data/*", f"{bucket}/{runs}/*"),
        _allow("WriteRuns", CHANGE_OBJECTS, f"{bucket}/{runs}/*"),
        # All of it, since it is the stack's own: without, S3 answers 403 and not 404 for an object that is not there
        # (API reference, GetObject), and a run looks for its checkpoint before there is one; a prefix might not help.
        _allow("ListOwnBucket", "s3:ListBucket", bucket),
    )


def _keys(places: HostPlaces) -> Sequence[Statement | None]:
    region = places.region
    # A bucket key has the bucket as its context; an object from before it, or without, has itself.
    objects = {"kms:EncryptionContext:aws:s3:arn": [places.bucket_arn, f"{places.bucket_arn}/*"]}
    return (
        _allow(
            "KeyThroughBucket",
            ("kms:Decrypt", "kms:GenerateDataKey"),
            places.key_arn,
            when={"StringEquals": {"kms:ViaService": _host("s3", region)}, "StringLike": objects},
        ),
        None
        if places.secret_arn is None
        else _allow(
            "KeyThroughSecret",
            "kms:Decrypt",
            places.key_arn,
            when={
                "StringEquals": {
                    "kms:ViaService": _host("secretsmanager", region),
                    "kms:EncryptionContext:SecretARN": places.secret_arn,
                }
            },
        ),
    )


def _words(places: HostPlaces) -> Sequence[Statement]:
    return (
        _allow("WriteLogs", WRITE_LOGS, places.log_group_arn, f"{places.log_group_arn}:log-stream:*"),
        _allow(
            "WriteMetrics", METRICS, "*", when={"StringEquals": {"cloudwatch:namespace": places.namespace}}
        ),
    )


def _secret(places: HostPlaces) -> Statement | None:
    return None if places.secret_arn is None else _allow("ReadSecret", SECRET, places.secret_arn)


def _image(places: HostPlaces) -> Sequence[Statement]:
    if places.repository_arn is None:
        return ()
    return _allow("LogInToRegistry", LOG_IN, "*"), _allow("PullImage", PULL, places.repository_arn)


def _end(places: HostPlaces) -> Statement:
    return _allow(
        "EndOwnGroup",
        RESIZE,
        group_arn(places.account_id, places.region, places.groups),
        # To nothing, or its market after too many interruptions: never to more machines.
        when={"NumericEqualsIfExists": {"autoscaling:MaxSize": "0"}},
    )


def _session(places: HostPlaces) -> Sequence[Statement]:
    instances = f"arn:{partition(places.region)}:ec2:{places.region}:{places.account_id}:instance/*"
    return _allow("SessionHeartbeat", HEARTBEAT, instances), _allow("SessionChannels", SESSION, "*")


def _allow(
    sid: str,
    actions: str | Sequence[str],
    *resources: str,
    when: Mapping[str, Mapping[str, str | Sequence[str]]] | None = None,
) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [actions] if isinstance(actions, str) else list(actions),
        "Resource": list(resources),
        **({"Condition": when} if when else {}),
    }


def _host(service: str, region: str) -> str:
    """A service's own name in kms:ViaService."""
    return f"{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
