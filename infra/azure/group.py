"""The resource group, which holds everything of one stack and nothing else."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.names import group_id, group_name
from infra.azure.taken_up import NOTHING, taken_up


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupArgs:
    """What a `Group` is made from."""

    subscription_id: str
    location: str
    stamp: str
    keep: bool
    """Whether it outlives the stack, as it must where the storage does."""
    tags: Mapping[str, pulumi.Input[str]]
    there: AbstractSet[str] = NOTHING
    """Ids, in small letters, of what an earlier stack left (`infra.azure.kept`)."""


class Group(pulumi.ComponentResource):
    """A group at one place."""

    def __init__(self, name: str, args: GroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Group", name, None, opts)
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        identifier = group_id(args.subscription_id, args.stamp)
        group = azure.resources.ResourceGroup(
            f"{name}-group",
            resource_group_name=group_name(args.stamp),
            location=args.location,
            tags=args.tags,
            opts=pulumi.ResourceOptions.merge(
                kept, taken_up(identifier, args.there, "tags", "location", "managedBy")
            ),
        )
        self.group_name: pulumi.Output[str] = group.name
        self.register_outputs({"groupName": self.group_name})
