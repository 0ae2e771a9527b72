"""What an earlier stack left on purpose: its group, with the storage, the vault and the identity that opens them."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.azure.arm import Arm
from infra.azure.names import group_id
from infra.azure.vaults import standing_vault

GROUPS, STORAGE, VAULTS, RIGHTS = "2021-04-01", "2023-05-01", "2023-07-01", "2022-04-01"
"""Versions of the APIs: groups and lists of resources, storage, vaults, role assignments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptParts:
    """A group of ours that is there, and what is in it."""

    location: str
    ids: frozenset[str]
    """In small letters: Azure tells ids in any case. The group's own is among them, and those of what is kept."""

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
    listed = {
        str(one["id"]).lower() for one in arm.items(f"{group}/resources", GROUPS, "what the group holds")
    }
    found = {
        identifier
        for identifier, version in _inside(group, stamp, listed)
        if arm.find(identifier, version, "what an earlier stack left") is not None
    }
    ids = frozenset({group.lower(), *listed, *(identifier.lower() for identifier in found)})
    return KeptParts(location=str(there.get("location") or ""), ids=ids)


def _inside(group: str, stamp: str, listed: set[str]) -> Iterator[tuple[str, str]]:
    """What a group's list does not tell, being part of a part: its id, and the version of the API that knows it."""
    # They declare as well, and take Pulumi with them: where there is no group, nobody needs it.
    from infra.azure.keys import key_ids
    from infra.azure.storage import storage_ids

    vault = standing_vault("keys", listed)
    if vault is not None:
        key = key_ids(group, stamp, vault)
        yield key.key, VAULTS
        yield key.right, RIGHTS
    accounts = sorted(one for one in listed if "/providers/microsoft.storage/storageaccounts/" in one)
    for account in accounts:
        storage = storage_ids(group, account.rpartition("/")[2])
        for identifier in (storage.data, storage.runs, storage.policy):
            yield identifier, STORAGE
