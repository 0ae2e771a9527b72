"""Roles that AWS's own services need in an account; a new account has them only after its first use of each."""

from typing import Any

from infra.aws.account import explained

SERVICES = {
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}
"""EC2 makes the second by itself only from the console (EC2 user guide, service-linked role for Spot)."""


def ensure_service_roles(iam: Any, *, spot: bool) -> tuple[str, ...]:
    """Make those that are missing; their names. They cost nothing, belong to the account, and stay.

    The key's policy names them, and KMS refuses one that names a role which is not there.

    Raises:
        AccountError: your identity may neither look nor make them.
    """
    made = []
    for service, role in SERVICES.items():
        if service.startswith("spot.") and not spot:
            continue
        if not _is_there(iam, role):
            with explained(f"the role {role}"):
                iam.create_service_linked_role(AWSServiceName=service)
            made.append(role)
    return tuple(made)


def _is_there(iam: Any, role: str) -> bool:
    from botocore.exceptions import ClientError

    with explained(f"the role {role}"):
        try:
            iam.get_role(RoleName=role)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return False
            raise
    return True
