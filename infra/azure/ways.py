"""What may pass through the network's security groups, rule by rule. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.azure.network_prices import Profile

Direction = Literal["Inbound", "Outbound"]
CIDR, MACHINES, ENDPOINTS, BASTION = "10.20.0.0/16", "10.20.0.0/24", "10.20.1.0/24", "10.20.2.0/26"
"""The network, and its shares; none overlaps 172.17.0.0/16, which Docker has on the machine. A Bastion wants /26."""
ANY = "*"
HTTPS, SSH = "443", "22"
FIRST, STEP, LAST = 100, 10, 4096
"""Priorities: the lowest is looked at first; Azure's own rules, which let a whole network in, come after 4096."""
CONTROL = ("AzureResourceManager", "AzureActiveDirectory", "AzureMonitor")
"""Service tags of what has no endpoint in a network: the machine's own end, its tokens, its logs."""
SERVICES = (
    "Storage",
    "AzureKeyVault",
    "AzureContainerRegistry",
    "MicrosoftContainerRegistry",
    "AzureFrontDoor.FirstParty",
)
"""Of the rest: data and runs, secrets, images (whose layers lie in Storage), Microsoft's images and their front."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One rule of a security group."""

    name: str
    why: str
    access: Literal["Allow", "Deny"]
    direction: Direction
    source: str = ANY
    """Addresses, or a service tag."""
    destination: str = ANY
    port: str = ANY
    priority: int = LAST
    protocol: str = "Tcp"


def machine_ways(profile: Profile, *, bastion: bool, outside: bool) -> tuple[Way, ...]:
    """Of the machine's subnet. Names, clock and metadata need no rule: the platform's own addresses are exempt.

    Args:
        bastion: whether a Bastion may come in, from its own subnet.
        outside: whether HTTPS goes to anywhere, for an image or a notice of the user's own that lies elsewhere.
    """
    ways = list(_numbered(_out(profile, outside)))
    if bastion:
        ways.append(
            Way(
                name="from-bastion", why="SSH, from the Bastion's own subnet", access="Allow", direction="Inbound",
                source=BASTION, destination=MACHINES, port=SSH, priority=FIRST,
            )
        )  # fmt: skip
    return (*ways, *_nothing_else())


def door_ways() -> tuple[Way, ...]:
    """Of the endpoints' subnet: the machine comes in, and nothing goes out."""
    came = Way(
        name="from-machine", why="HTTPS, from the machine's subnet", access="Allow", direction="Inbound",
        source=MACHINES, destination=ENDPOINTS, port=HTTPS, priority=FIRST,
    )  # fmt: skip
    return (came, *_nothing_else())


def gate_ways(caller_address: str) -> tuple[Way, ...]:
    """Of a Bastion's subnet, as Azure demands them; from outside, though, only the caller comes in and not everybody.

    Source: Azure Bastion, working with NSG access, 2026-11.
    """
    own = ("8080", "5701")
    came = [("caller", caller_address, HTTPS), ("gateway-manager", "GatewayManager", HTTPS)]
    came += [("load-balancer", "AzureLoadBalancer", HTTPS)]
    went = [("ssh", "VirtualNetwork", SSH), ("rdp", "VirtualNetwork", "3389"), ("azure", "AzureCloud", HTTPS)]
    went += [("certificates", "Internet", "80")]
    ways = [
        Way(
            name=f"from-{name}", why=f"The gate's own, from {source}", access="Allow", direction="Inbound",
            source=source, port=port, priority=FIRST + place * STEP,
        )
        for place, (name, source, port) in enumerate(came)
    ]  # fmt: skip
    ways += [
        Way(
            name=f"to-{name}", why=f"The gate's own, to {destination}", access="Allow", direction="Outbound",
            destination=destination, port=port, priority=FIRST + place * STEP,
        )
        for place, (name, destination, port) in enumerate(went)
    ]  # fmt: skip
    directions: tuple[Direction, ...] = ("Inbound", "Outbound")
    ways += [
        Way(
            name=f"own-{direction.lower()}-{port}", why="Between the gate's own parts", access="Allow",
            direction=direction, source="VirtualNetwork", destination="VirtualNetwork", port=port, protocol=ANY,
            priority=2 * FIRST + place * STEP,
        )
        for direction in directions
        for place, port in enumerate(own)
    ]  # fmt: skip
    return (*ways, *_nothing_else())


def _out(profile: Profile, outside: bool) -> Iterator[tuple[str, str, str]]:
    """Name, reason and destination."""
    for tag in CONTROL if profile == "private" else (*CONTROL, *SERVICES):
        yield f"to-{tag.lower().replace('.', '-')}", f"HTTPS, to {tag}", tag
    if profile == "private":
        yield "to-doors", "HTTPS, to the endpoints", ENDPOINTS
    if outside:
        yield "to-internet", "HTTPS, to anywhere", "Internet"


def _numbered(destinations: Iterator[tuple[str, str, str]]) -> Iterator[Way]:
    for place, (name, why, destination) in enumerate(destinations):
        yield Way(
            name=name, why=why, access="Allow", direction="Outbound", source=MACHINES, destination=destination,
            port=HTTPS, priority=FIRST + place * STEP,
        )  # fmt: skip


def _nothing_else() -> Sequence[Way]:
    return (
        Way(name="nothing-in", why="Nothing else comes in", access="Deny", direction="Inbound", protocol=ANY),
        Way(
            name="nothing-out", why="Nothing else goes out", access="Deny", direction="Outbound", protocol=ANY
        ),
    )
