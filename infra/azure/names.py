"""Names and addresses of a stack's parts on Azure, known before any of them exists. Pure."""

import hashlib

from infra.naming import resource_name

CLOUD = "azure"
DIGEST_LETTERS = 8
DATA, RUNS = "data", "runs"
"""Containers of the stack's storage account."""


def group_name(stamp: str) -> str:
    """Resource group: everything of one stack is in it, and nothing else."""
    return f"{stamp}-azure"


def group_id(subscription_id: str, stamp: str) -> str:
    """Resource group's id."""
    return f"/subscriptions/{subscription_id}/resourceGroups/{group_name(stamp)}"


def part_id(subscription_id: str, stamp: str, kind: str, name: str) -> str:
    """Id of a part of the stack's group; `kind` such as Microsoft.Compute/virtualMachines."""
    return part_id_in(subscription_id, group_name(stamp), kind, name)


def part_id_in(subscription_id: str, group: str, kind: str, name: str) -> str:
    """Id of a part of a resource group."""
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}/providers/{kind}/{name}"


def storage_account_name(subscription_id: str, stamp: str) -> str:
    """Names of storage accounts are shared by all subscriptions of the world: 24 letters and digits."""
    return resource_name(CLOUD, stamp, subscription_id)


def registry_name(subscription_id: str, stamp: str) -> str:
    """Likewise shared by all, letters and digits."""
    return resource_name(CLOUD, stamp, "images", subscription_id)


def machine_name(stamp: str, job_digest: str, attempt: int) -> str:
    """Another job, or the next try after an eviction, is another machine; 64 characters at most (Linux VM names)."""
    digest = hashlib.sha256(f"{job_digest}".encode()).hexdigest()[:DIGEST_LETTERS]
    return f"{stamp[:40].rstrip('-')}-{digest}-{attempt}"


def account_name(subscription_id: str, location: str) -> str:
    """A subscription at one place, as the journal names it."""
    return f"azure:{subscription_id}:{location}"
