"""Nothing comes in from outside."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy.subject import Rule, Subject, parts

OWN = tuple(
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
)
"""Addresses that no packet of the internet has (RFC 1918, 6598, 4193, 4291)."""
GROUPS = ("ec2/securityGroup", "ec2/defaultSecurityGroup")
RULES_ALONE = ("vpc/securityGroupIngressRule", "ec2/securityGroupRule")
SINGLE = ("cidrIpv4", "cidrIpv6")
LISTS = ("cidrBlocks", "ipv6CidrBlocks")
ADVICE = (
    "let in a security group (referencedSecurityGroupId), or reach the machine by Session Manager: "
    "python -m stacks ssh"
)


def _one(subject: Subject) -> Iterator[str]:
    for way in _ways(subject):
        sources = [way.get(key) for key in SINGLE]
        for key in LISTS:
            value = way.get(key)
            sources += value if isinstance(value, list | tuple) else [value]
        for source in sources:
            if isinstance(source, str) and not is_own(source):
                yield f"it lets in {source}, ports {way.get('fromPort')} to {way.get('toPort')}; {ADVICE}"


def _ways(subject: Subject) -> list[Mapping[str, Any]]:
    """What of it says who may come in."""
    if subject.kind in GROUPS:
        return list(parts(subject.inputs.get("ingress")))
    outward = subject.kind == "ec2/securityGroupRule" and subject.inputs.get("type") == "egress"
    return [subject.inputs] if subject.kind in RULES_ALONE and not outward else []


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


NO_PUBLIC_INGRESS = Rule(
    name="no-public-ingress",
    description="No security group lets in an address of the internet.",
    one=_one,
)
