"""What Azure says now of a stack's machine: whether it is there, of what size, and what such a one costs."""

from collections.abc import Mapping
from typing import Any

from infra.azure.owned import owned_machines
from infra.azure.sizes import SIZES, on_demand_price
from infra.prices import read_prices
from infra.vm.now import MachineNow


def machine_now(where: Mapping[str, Any]) -> MachineNow:
    """Of the machine that an output `where` names.

    Raises:
        AzureError: Azure does not tell.
    """
    name = str(where["machine"])
    found = next(
        (one for one in owned_machines(str(where["subscription"]), str(where["owner"])) if one.name == name),
        None,
    )
    if found is None:
        return MachineNow(name=name, status="gone")
    size = SIZES.get(found.type_name)
    price = None
    if size is not None and not found.spot:
        row = on_demand_price(size, read_prices(), str(where["location"]))
        price = row.price_usd_per_h if row else None
    return MachineNow(name=name, status=found.state, type_name=found.type_name, price_usd_per_h=price)
