"""Which addresses each zone gets. Pure: a network and zones in, subnets out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.errors import SettingsError

SLOTS = 16
"""A subnet's place goes by its zone's letter, so that another choice of zones moves nobody's addresses."""
DOCKER = IPv4Network("172.17.0.0/16")
"""Docker's own bridge on the machine: a network that overlaps it would be out of a container's reach."""
LARGEST, SMALLEST = 16, 24
"""Prefixes: a VPC has /16 at most, a subnet /28 at least (VPC user guide)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubnetPlan:
    """One zone's share."""

    zone: str
    cidr: str


def plan_subnets(cidr: str, zones: Sequence[str]) -> tuple[SubnetPlan, ...]:
    """A sixteenth of the network for each zone, in the zones' order.

    Raises:
        SettingsError: no zone, two of one letter, no such network, or one that does not fit; all at once.
    """
    problems = list(_problems(cidr, zones))
    if problems:
        raise SettingsError("; ".join(problems))
    shares = list(IPv4Network(cidr).subnets(prefixlen_diff=SLOTS.bit_length() - 1))
    return tuple(SubnetPlan(zone=zone, cidr=str(shares[_slot(zone)])) for zone in zones)


def _problems(cidr: str, zones: Sequence[str]) -> Iterator[str]:
    try:
        network = IPv4Network(cidr)
    except ValueError as error:
        yield f"cidr={cidr!r} is no network ({error}); write 10.20.0.0/16, say"
    else:
        if not LARGEST <= network.prefixlen <= SMALLEST:
            yield f"cidr={cidr} must be between /{LARGEST} and /{SMALLEST}"
        if not network.is_private:
            yield f"cidr={cidr} is not private; take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        if network.overlaps(DOCKER):
            yield f"cidr={cidr} overlaps {DOCKER}, which Docker has on the machine; take 10.20.0.0/16, say"
    if not zones:
        yield "there is no zone to make a subnet in"
    wrong = [zone for zone in zones if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-p]", zone)]
    if wrong:
        yield f"{', '.join(map(repr, wrong))} is no availability zone; write us-east-1a, say"
    elif len({_slot(zone) for zone in zones}) < len(zones) or len({zone[:-1] for zone in zones}) > 1:
        yield f"zones={', '.join(zones)} must be different ones of one region"


def _slot(zone: str) -> int:
    return ord(zone[-1]) - ord("a")
