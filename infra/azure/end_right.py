"""The right to end a stack's machines, and who has it besides the machine itself: the identity of the switches."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.names import group_id
from infra.azure.roles import Grant, assignment_name, grant, role_id

END_ACTIONS = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/delete",
)
"""A built-in role that deletes machines writes, starts and resizes them too: that could rent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EndRightArgs:
    """What an `EndRight` is made from."""

    subscription_id: str
    group: pulumi.Input[str]
    """Name of the resource group."""
    group_id: pulumi.Input[str]
    """Of the group itself, which must be there: no right reaches further."""
    location: str
    stamp: str
    tags: Mapping[str, pulumi.Input[str]]


class EndRight(pulumi.ComponentResource):
    """A role that reads and deletes virtual machines of one resource group, and an identity that has it."""

    def __init__(self, name: str, args: EndRightArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:EndRight", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        guid = _guid(args.subscription_id, args.stamp)
        role = azure.authorization.RoleDefinition(
            f"{name}-role",
            role_definition_id=guid,
            # Names of roles are shared by a whole directory.
            role_name=f"{args.stamp} ends its machines ({guid[:8]})",
            description="Reads and deletes virtual machines of one resource group, and may do nothing else",
            role_type="CustomRole",
            scope=args.group_id,
            assignable_scopes=[args.group_id],
            permissions=[
                azure.authorization.PermissionArgs(
                    actions=list(END_ACTIONS), not_actions=[], data_actions=[], not_data_actions=[]
                )
            ],
            opts=child,
        )
        identity = azure.managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=f"{args.stamp}-switches",
            resource_group_name=args.group,
            location=args.location,
            tags=args.tags,
            opts=child,
        )
        # ARM names a role by its subscription, wherever it was made.
        known = end_role_id(args.subscription_id, args.stamp)
        self.role_definition_id: pulumi.Output[str] = role.id.apply(lambda _: known)
        self.identity_id: pulumi.Output[str] = identity.id
        self.granted: pulumi.Resource = grant(
            f"{name}-right",
            Grant(role=known, principal_id=identity.principal_id, scope=args.group_id),
            assignment=assignment_name(group_id(args.subscription_id, args.stamp), "switches", "end"),
            subscription_id=args.subscription_id,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        self.register_outputs({"roleDefinitionId": self.role_definition_id, "identityId": self.identity_id})


def end_role_id(subscription_id: str, stamp: str) -> str:
    """ARM id of the role; the same for the same group."""
    return role_id(subscription_id, _guid(subscription_id, stamp))


def _guid(subscription_id: str, stamp: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{group_id(subscription_id, stamp)}/end"))
