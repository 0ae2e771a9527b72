"""Who may use the stack's key. Pure; in a key's policy the resource `*` is that key and no other.

Source: KMS developer guide (default key policy), CloudWatch Logs user guide (encrypt log data), EC2 Auto Scaling user
guide (required key policy for encrypted volumes), read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.aws.names import log_group_arn, partition
from infra.aws.policies import document

ADMINISTER = (
    "CancelKeyDeletion", "CreateAlias", "CreateGrant", "DeleteAlias", "DescribeKey", "DisableKey", "DisableKeyRotation",
    "EnableKey", "EnableKeyRotation", "GetKeyPolicy", "GetKeyRotationStatus", "ListGrants", "ListKeyPolicies",
    "ListKeyRotations", "ListResourceTags", "PutKeyPolicy", "RetireGrant", "RevokeGrant", "RotateKeyOnDemand",
    "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription",
)  # fmt: skip
USE = (
    "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
    "ReEncryptTo",
)  # fmt: skip
GROUP_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
SPOT_ROLE = "role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
"""KMS refuses a policy that names a role which does not exist: `service_roles.ensure` comes first."""


def key_document(account_id: str, region: str, *, log_groups: Sequence[str], spot: bool) -> str:
    """The account's own rights decide (root stands for them); beside it, the services that act on their own.

    Args:
        account_id: 12 digits.
        region: of the key and of the log groups.
        log_groups: names of those that this key encrypts.
        spot: whether the spot service attaches encrypted disks too.
    """
    roles = [_iam(account_id, region, role) for role in (GROUP_ROLE, *((SPOT_ROLE,) if spot else ()))]
    disks = {"AWS": roles}
    groups = [log_group_arn(account_id, region, name) for name in log_groups]
    return document(
        _allow(
            "AccountDecides",
            {"AWS": _iam(account_id, region, "root")},
            tuple(dict.fromkeys((*ADMINISTER, *USE))),
        ),
        _allow(
            "EncryptLogs",
            {"Service": f"logs.{region}.amazonaws.com"},
            # Not DescribeKey, which has no context to be bound by.
            [action for action in USE if action != "DescribeKey"],
            {"StringEquals": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        _allow("EncryptDisks", disks, USE),
        _allow("AttachDisks", disks, ("CreateGrant",), {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    )


def _iam(account_id: str, region: str, what: str) -> str:
    return f"arn:{partition(region)}:iam::{account_id}:{what}"


def _allow(
    sid: str,
    principal: Mapping[str, str | Sequence[str]],
    actions: Sequence[str],
    when: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
        **({"Condition": when} if when else {}),
    }
