"""What each network profile costs while it stands. Pure."""

from typing import Literal

from infra.aws.endpoint_policies import SERVICES

Profile = Literal["private", "cheap"]
ENDPOINT_USD_PER_H = 0.01
"""An interface endpoint in one zone, and 0.01 more a GB. Source: AWS PrivateLink pricing, us-east-1, 2026-11."""
ADDRESS_USD_PER_H = 0.005
"""A public IPv4 address, as long as a machine has it. Source: Amazon VPC pricing, every region, since 2024-02."""
HOURS_A_MONTH = 730


def network_usd_per_h(profile: Profile, zones: int = 1) -> float:
    """The private profile's doors in so many zones; the cheap one's public address. The S3 gateway costs nothing."""
    return len(SERVICES) * zones * ENDPOINT_USD_PER_H if profile == "private" else ADDRESS_USD_PER_H


def network_usd_per_month(profile: Profile, zones: int = 1) -> float:
    """If it stood a whole month; the cheap profile with a machine all the time."""
    return round(network_usd_per_h(profile, zones) * HOURS_A_MONTH, 2)
