"""Which addresses are one's own; the same for every cloud."""

import ipaddress
from typing import Final

OWN: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
)
"""Addresses that no packet of the internet has (RFC 1918, 6598, 4193, 4291)."""


def is_own(cidr: str) -> bool:
    """Whether all of it lies in private address space. Not `is_private`, which says yes to 0.0.0.0/0."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return any(
        network.version == own.version and network.subnet_of(own)  # type: ignore[arg-type]
        for own in OWN
    )
