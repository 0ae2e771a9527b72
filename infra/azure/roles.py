"""Who may do what where: built-in roles by their ids, and assignments with names known before they exist.

Source of the ids: Azure built-in roles reference, 2026-11; they are the same in every subscription.
"""

import uuid
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_azure_native as azure

BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
"""Reads values, lists nothing and writes nothing."""
KEY_ENCRYPTION_USER = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
"""Wraps and unwraps by a key, and reads which version is the newest."""
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
ADMIN_LOGIN = "1c0163c0-47e6-4577-8991-ea5c82e286e4"
"""Virtual Machine Administrator Login: signs in, and may become root."""
METRICS_PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
"""On a data collection rule: may send to it."""

PrincipalType = Literal["User", "ServicePrincipal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One role for one principal at one place."""

    role: str
    """Id of a built-in role, or the whole ARM id of one of the stack's own."""
    principal_id: pulumi.Input[str]
    scope: pulumi.Input[str]
    """ARM id of what it reaches; nothing beside it."""
    principal_type: PrincipalType = "ServicePrincipal"
    """Told to Azure, which then does not look for an identity that was made a moment ago, and perhaps not find it."""


def grant(
    name: str, what: Grant, *, assignment: str, subscription_id: str, opts: pulumi.ResourceOptions
) -> azure.authorization.RoleAssignment:
    """Declare an assignment; `assignment` is its name (`assignment_name`).

    One of the same name for another principal, as after an identity was made anew, is refused while the old one
    stands: it goes first.
    """
    return azure.authorization.RoleAssignment(
        name,
        role_assignment_name=assignment,
        scope=what.scope,
        principal_id=what.principal_id,
        principal_type=what.principal_type,
        role_definition_id=role_id(subscription_id, what.role),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True)),
    )


def role_id(subscription_id: str, role: str) -> str:
    """ARM id of a role, as assignments name it."""
    if role.startswith("/"):
        return role
    return f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def assignment_name(group_id: str, who: str, what: str) -> str:
    """The same for the same stack, principal and right, so that an assignment that stayed is found again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{group_id}/{who}/{what}"))


def assignment_id(scope: str, name: str) -> str:
    """ARM id of an assignment."""
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
