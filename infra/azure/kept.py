"""What an earlier stack left on purpose: its group, with the storage, the vault and the identity that opens them."""

from dataclasses import dataclass

from infra.azure.arm import Arm
from infra.azure.names import group_id

GROUPS = "2021-04-01"
"""Version of the API of groups and of lists of resources."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptParts:
    """A group of ours that is there, and what is in it."""

    location: str
    ids: frozenset[str]
    """In small letters: Azure tells ids in any case."""

    def has(self, part: str) -> bool:
        """Whether a part is there, by its id."""
        return part.lower() in self.ids


def kept_parts(arm: Arm, subscription_id: str, stamp: str) -> KeptParts | None:
    """The group and its parts; None where there is none. A running stack's own is told of as well.

    Raises:
        AzureError: Azure does not tell.
    """
    group = group_id(subscription_id, stamp)
    there = arm.find(group, GROUPS, "the stack's resource group")
    if there is None:
        return None
    ids = frozenset(
        str(one["id"]).lower() for one in arm.items(f"{group}/resources", GROUPS, "what the group holds")
    )
    return KeptParts(location=str(there.get("location") or ""), ids=ids)
