"""What AWS says now of a group's machine: which it is, and what it costs at this hour."""

from collections.abc import Mapping
from typing import Any

from infra.aws.account import client, explained
from infra.aws.errors import AwsError
from infra.aws.offers import spot_offers
from infra.aws.owned import owned_groups
from infra.aws.types import TYPES, on_demand_price
from infra.prices import read_prices
from infra.vm.now import MachineNow


def group_now(where: Mapping[str, Any]) -> MachineNow:
    """Of the group that an output `where` names.

    Raises:
        AwsError: AWS does not tell of the group; a price that it does not tell is None.
    """
    name, region = str(where["group"]), str(where["region"])
    found = next((one for one in owned_groups(region, str(where["owner"])) if one.name == name), None)
    if found is None:
        return MachineNow(name=name, status="gone")
    status = ", ".join(found.machines) or ("no machine yet" if found.desired else "ended")
    price = price_now(region, found.machines[0]) if found.machines else None
    return MachineNow(name=name, status=status, type_name=", ".join(found.types), price_usd_per_h=price)


def price_now(region: str, machine: str) -> float | None:
    """Dollars an hour: on the spot market its zone's price now, else by the dated table; None where neither tells."""
    try:
        ec2 = client("ec2", region)
        with explained("the machine"):
            answer = ec2.describe_instances(InstanceIds=[machine])
        one = answer["Reservations"][0]["Instances"][0]
        kind = TYPES.get(one["InstanceType"])
        if kind is None:
            return None
        if one.get("InstanceLifecycle") != "spot":
            price = on_demand_price(kind, read_prices(), region)
            return price.price_usd_per_h if price else None
        zone = one["Placement"]["AvailabilityZone"]
        return next(
            (offer.price_usd_per_h for offer in spot_offers(ec2, [kind]) if offer.zone == zone),
            None,
        )
    except (AwsError, LookupError):  # the ceiling counts then: never a reason to show nothing
        return None
