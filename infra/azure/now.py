"""What Azure says now of a stack's machine: whether it is there, how it is, of what size, and what such a one costs."""

from collections.abc import Mapping
from typing import Any

from infra.azure.arm import Arm
from infra.azure.names import part_id_in
from infra.azure.owned import MachineState, machine_state
from infra.azure.sizes import SIZES, on_demand_price
from infra.prices import read_prices
from infra.vm.now import MachineNow


def machine_now(where: Mapping[str, Any]) -> MachineNow:
    """Of the machine that an output `where` names.

    Raises:
        AzureError: Azure does not tell.
    """
    name = str(where["machine"])
    kind = "Microsoft.Compute/virtualMachines"
    with Arm() as arm:
        found = machine_state(arm, part_id_in(str(where["subscription"]), str(where["group"]), kind, name))
    if found is None:
        return MachineNow(name=name, status="gone")
    price = _price_usd_per_h(found, str(where["location"]))
    status = found.power.removeprefix("PowerState/") or found.provisioning.lower()
    return MachineNow(name=name, status=status, type_name=found.size, price_usd_per_h=price)


def _price_usd_per_h(found: MachineState, location: str) -> float | None:
    """By the dated table; for a spot machine, whose own price Azure tells nowhere, the bid counts."""
    size = SIZES.get(found.size)
    if size is None or found.spot:
        return None
    row = on_demand_price(size, read_prices(), location)
    return row.price_usd_per_h if row else None
