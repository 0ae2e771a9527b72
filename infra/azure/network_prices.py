"""What the network of each profile costs while it stands, and what may stand beside it. Pure.

List prices as they are commonly told (East US, 2026-11); other regions differ by some percent. NAT and its address were
checked against a published list, the others were not: Azure's own price pages could not be read. Each GB comes on top:
0.045 through NAT, 0.01 through an endpoint.
"""

from typing import Literal

Profile = Literal["private", "cheap"]
NAT_USD_PER_H = 0.045
"""As long as the gateway stands, with or without traffic; it cannot be paused."""
ADDRESS_USD_PER_H = 0.005
"""A static public address of SKU Standard: NAT's, and Bastion's."""
ENDPOINT_USD_PER_H = 0.01
ZONE_USD_PER_MONTH = 0.5
"""A private DNS zone, by the day."""
BASTION_USD_PER_H = 0.29
"""SKU Standard with two units, without its address."""
REGISTRY_USD_PER_DAY = {"cheap": 0.1666, "private": 1.6666}
"""SKU Basic with 10 GB, and Premium with 500 GB, which alone has endpoints."""
DOORS = 3
"""Endpoints of the private profile at most: storage, vault and registry."""
HOURS_A_MONTH = 730


def network_usd_per_h(profile: Profile, doors: int = DOORS) -> float:
    """NAT with its address; in the private profile its endpoints too, each with a zone of names."""
    way_out = NAT_USD_PER_H + ADDRESS_USD_PER_H
    if profile == "cheap":
        return way_out
    return way_out + doors * (ENDPOINT_USD_PER_H + ZONE_USD_PER_MONTH / HOURS_A_MONTH)


def network_usd_per_month(profile: Profile, doors: int = DOORS) -> float:
    """If it stood a whole month."""
    return round(network_usd_per_h(profile, doors) * HOURS_A_MONTH, 2)


def bastion_usd_per_h() -> float:
    """A Bastion with its address."""
    return BASTION_USD_PER_H + ADDRESS_USD_PER_H


def registry_usd_per_h(profile: Profile) -> float:
    """The registry of the stack's own image."""
    return REGISTRY_USD_PER_DAY[profile] / 24
