"""What Azure lists that carries our mark: machines, which bill by the hour, and everything else of a stack's group."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.azure.arm import Arm
from infra.azure.names import group_id
from infra.vm.marks import LEASE, STAMP, is_ours, lease_of

__all__ = ["LEASE", "STAMP"]
COMPUTE, RESOURCES, NETWORK = "2024-07-01", "2021-04-01", "2024-05-01"
"""Versions of the APIs. Source: learn.microsoft.com, rest/api, 2026-11."""
OFF = ("PowerState/deallocated", "PowerState/deallocating", "PowerState/stopped")
BILLING = {
    "Microsoft.Compute/disks": "2024-03-02",
    "Microsoft.Network/natGateways": NETWORK,
    "Microsoft.Network/publicIPAddresses": NETWORK,
    "Microsoft.Network/privateEndpoints": NETWORK,
    "Microsoft.Network/bastionHosts": NETWORK,
}
"""Parts that cost by the hour besides machines, with the API that knows them at once: lists by tag run late."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedMachine:
    """A virtual machine, whoever started it."""

    id: str
    name: str
    location: str
    stamp: str
    lease_until: datetime | None
    """None where its tag is missing or no time."""
    type_name: str
    spot: bool
    state: str
    """How Azure's last work on it went: Creating, Succeeded, Deleting, Failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedPart:
    """Anything else of a stack."""

    id: str
    kind: str
    """Such as Microsoft.Network/natGateways."""
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineState:
    """One machine, looked at closely."""

    size: str
    spot: bool
    image_version: str
    """Of what it was made from; empty where it is no image of the market."""
    provisioning: str
    power: str
    """Such as PowerState/running; empty while it is made."""

    @property
    def off(self) -> bool:
        """Whether it runs no more, though its disk bills, and a stopped one bills whole."""
        return self.power in OFF

    @property
    def stillborn(self) -> bool:
        """Whether Azure gave up before it ran, for want of machines, say. A failed extension leaves it running."""
        return self.provisioning == "Failed" and self.power != "PowerState/running"

    @property
    def lives(self) -> bool:
        """Whether a job can be on it, now or soon."""
        return self.provisioning != "Deleting" and not self.off and not self.stillborn


def owned_machines(
    arm: Arm, subscription_id: str, location: str | None = None, stamp: str | None = None
) -> list[OwnedMachine]:
    """Machines with our mark at a place; of one stack, if a stamp is given.

    Raises:
        AzureError: Azure does not tell.
    """
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/virtualMachines"
    found = (_machine(one) for one in arm.items(path, COMPUTE, "machines") if is_ours(_tags(one), stamp))
    return [one for one in found if location in (None, one.location)]


def machine_state(arm: Arm, machine_id: str) -> MachineState | None:
    """One machine by its id; None where there is none.

    Raises:
        AzureError: Azure does not tell.
    """
    one = arm.find(machine_id, COMPUTE, "the machine", **{"$expand": "instanceView"})
    if one is None:
        return None
    properties = one.get("properties") or {}
    statuses = (properties.get("instanceView") or {}).get("statuses") or ()
    codes = [str(status.get("code") or "") for status in statuses]
    image = (properties.get("storageProfile") or {}).get("imageReference") or {}
    return MachineState(
        size=str((properties.get("hardwareProfile") or {}).get("vmSize") or ""),
        spot=properties.get("priority") == "Spot",
        image_version=str(image.get("exactVersion") or image.get("version") or ""),
        provisioning=str(properties.get("provisioningState") or ""),
        power=next((code for code in codes if code.startswith("PowerState/")), ""),
    )


def owned_parts(arm: Arm, subscription_id: str, stamp: str) -> list[OwnedPart]:
    """Everything in the stack's group, and whatever carries its stamp elsewhere, sorted; runs some minutes late.

    Raises:
        AzureError: Azure does not tell.
    """
    group = group_id(subscription_id, stamp)
    marked = {"$filter": f"tagName eq '{STAMP}' and tagValue eq '{stamp}'"}
    rows = [
        *arm.items(f"{group}/resources", RESOURCES, "what the stack's group holds"),
        *arm.items(
            f"/subscriptions/{subscription_id}/resources", RESOURCES, "what carries its tags", **marked
        ),
    ]
    found = {str(row["id"]).lower(): _part(row) for row in rows}
    if arm.find(group, RESOURCES, "the stack's group") is not None:
        found[group.lower()] = OwnedPart(id=group, kind="resourceGroups", name=group.rpartition("/")[2])
    return [found[key] for key in sorted(found)]


def owned_billing_parts(arm: Arm, subscription_id: str, stamp: str) -> list[OwnedPart]:
    """Disks, gateways, addresses and doors of a stack that are there now, asked of the services themselves.

    Raises:
        AzureError: Azure does not tell.
    """
    return list(_billing(arm, group_id(subscription_id, stamp)))


def _billing(arm: Arm, group: str) -> Iterator[OwnedPart]:
    for kind, version in BILLING.items():
        for row in arm.items(f"{group}/providers/{kind}", version, f"what of {kind} is left"):
            if (row.get("properties") or {}).get("provisioningState") != "Deleting":
                yield _part({"type": kind, **row})


def _part(row: Mapping[str, Any]) -> OwnedPart:
    return OwnedPart(id=str(row["id"]), kind=str(row.get("type") or ""), name=str(row.get("name") or ""))


def _machine(one: Mapping[str, Any]) -> OwnedMachine:
    tags, properties = _tags(one), one.get("properties") or {}
    return OwnedMachine(
        id=str(one["id"]),
        name=str(one["name"]),
        location=str(one.get("location") or ""),
        stamp=tags[STAMP],
        lease_until=lease_of(tags),
        type_name=str((properties.get("hardwareProfile") or {}).get("vmSize") or ""),
        spot=properties.get("priority") == "Spot",
        state=str(properties.get("provisioningState") or ""),
    )


def _tags(one: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (one.get("tags") or {}).items()}
