"""Who the training machine is: an identity that may do its work in its own places, and nothing beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.names import DATA, RUNS
from infra.azure.roles import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    BLOB_READER,
    METRICS_PUBLISHER,
    SECRETS_USER,
    Grant,
    assignment_name,
    grant,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineIdentityArgs:
    """What a `MachineIdentity` is made from. Each id is the narrowest place that has what the machine needs."""

    subscription_id: str
    group: pulumi.Input[str]
    """Name of the resource group."""
    group_id: str
    location: str
    stamp: str
    data_id: pulumi.Input[str]
    """Of the container that it reads."""
    runs_id: pulumi.Input[str]
    """Of the container that it writes."""
    end_role_id: pulumi.Input[str]
    """Of the stack's own role that reads and deletes machines (`EndRight.role_definition_id`)."""
    tags: Mapping[str, pulumi.Input[str]]
    secret_id: pulumi.Input[str] | None = None
    """ARM id of the one secret; None for none."""
    registry_id: pulumi.Input[str] | None = None
    """ARM id of the registry; None where the image is not the stack's."""
    rule_ids: Mapping[str, pulumi.Input[str]] | None = None
    """ARM ids of the data collection rules that it sends to, each by a word of its own."""


class MachineIdentity(pulumi.ComponentResource):
    """A user-assigned identity: there before the machine, with its rights, and the same for the next machine."""

    def __init__(
        self, name: str, args: MachineIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:azure:MachineIdentity", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        identity = azure.managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=f"{args.stamp}-machine",
            resource_group_name=args.group,
            location=args.location,
            tags=args.tags,
            opts=child,
        )
        rights: dict[str, pulumi.Resource] = {}
        for what, role, scope in _rights(args):
            rights[what] = grant(
                f"{name}-{what}",
                Grant(role=role, principal_id=identity.principal_id, scope=scope),
                assignment=assignment_name(args.group_id, "machine", what),
                subscription_id=args.subscription_id,
                opts=child,
            )
        # The stack's own role has an id that is known only when it is there.
        rights["end"] = azure.authorization.RoleAssignment(
            f"{name}-end",
            role_assignment_name=assignment_name(args.group_id, "machine", "end"),
            scope=args.group_id,
            principal_id=identity.principal_id,
            principal_type="ServicePrincipal",
            role_definition_id=args.end_role_id,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.ready: list[pulumi.Resource] = list(rights.values())
        """A machine that starts before its rights are there would fail at its first read."""
        self.identity_id: pulumi.Output[str] = identity.id
        self.client_id: pulumi.Output[str] = identity.client_id
        self.principal_id: pulumi.Output[str] = identity.principal_id
        self.register_outputs({"identityId": identity.id, "clientId": identity.client_id})


def _rights(args: MachineIdentityArgs) -> Iterator[tuple[str, str, pulumi.Input[str]]]:
    """Word, role and place of each."""
    yield DATA, BLOB_READER, args.data_id
    yield RUNS, BLOB_CONTRIBUTOR, args.runs_id
    if args.secret_id is not None:
        yield "secret", SECRETS_USER, args.secret_id
    if args.registry_id is not None:
        yield "images", ACR_PULL, args.registry_id
    for word, rule_id in (args.rule_ids or {}).items():
        yield word, METRICS_PUBLISHER, rule_id
