"""Everything says whose it is: without the stamp neither the receipt nor `reap` finds it."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.marks import STAMP
from stacks.policy.subject import UNKNOWN, Subject

PREFIX = "azure-native:"
UNTAGGABLE = {
    "authorization/ManagementLockAtResourceGroupLevel", "authorization/ManagementLockByScope",
    "authorization/RoleAssignment", "authorization/RoleDefinition", "consumption/Budget", "containerregistry/CacheRule",
    "containerregistry/ScopeMap", "containerregistry/Token", "keyvault/AccessPolicy",
    "managedidentity/FederatedIdentityCredential", "monitor/DataCollectionRuleAssociation",
    "monitor/DiagnosticSetting", "network/PrivateDnsZoneGroup", "network/Route", "network/SecurityRule",
    "network/Subnet", "network/VirtualNetworkPeering", "operationalinsights/Table", "privatedns/PrivateRecordSet",
    "storage/Blob", "storage/BlobContainer", "storage/BlobServiceProperties", "storage/EncryptionScope",
    "storage/FileShare", "storage/LocalUser", "storage/ManagementPolicy", "storage/StorageAccountStaticWebsite",
}  # fmt: skip
"""Kinds on which Azure takes no tags."""


def tags_of(subject: Subject) -> Mapping[str, Any] | None:
    """None while they are not known. Azure's provider adds none of its own."""
    tags = subject.inputs.get("tags")
    if tags is UNKNOWN:
        return None
    return tags if isinstance(tags, Mapping) else {}


def _one(subject: Subject) -> Iterator[str]:
    if not subject.token.startswith(PREFIX) or subject.kind in UNTAGGABLE:
        return
    found = tags_of(subject)
    if found is not None and not found.get(STAMP):
        yield (
            f"it has no tag {STAMP}; give it infra.naming.tags(...) (a kind that takes no tags stands in "
            "stacks/policy/azure/marks.py)"
        )


STAMP_ON_EVERYTHING = mistakes.STAMP_ON_EVERYTHING(one=_one)
