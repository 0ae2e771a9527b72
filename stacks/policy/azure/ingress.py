"""Nothing comes in from outside, and no machine has an address that could be tried."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.addresses import is_own
from stacks.policy.azure.inside import listed, within
from stacks.policy.azure.machine_parts import described
from stacks.policy.subject import UNKNOWN, Subject

GROUP, RULE_ALONE, CARD = "network/NetworkSecurityGroup", "network/SecurityRule", "network/NetworkInterface"
OWN_TAGS = ("VirtualNetwork", "AzureLoadBalancer")
"""Service tags of the stack's own network and of its platform's probes; every other one is somebody outside."""
GATE, HTTPS = "GatewayManager", "443"
"""What steers a Bastion must come in where that stands, says Azure; there one's own single address may, too."""
ADVICE = "let in a subnet of your own, or reach the machine through a Bastion: python -m stacks ssh"


def _one(subject: Subject) -> Iterator[str]:
    if subject.kind == GROUP:
        rules = list(listed(subject.inputs, "securityRules"))
        gate = any(rule.get("sourceAddressPrefix") == GATE for rule in rules)
        for rule in rules:
            yield from _of_rule(rule, gate=gate)
    elif subject.kind == RULE_ALONE:
        yield from _of_rule(subject.inputs)
    elif subject.kind == CARD:
        for address in listed(subject.inputs, "ipConfigurations"):
            if address.get("publicIPAddress") not in (None, UNKNOWN):
                yield f"it has a public address; leave publicIPAddress out, and {ADVICE}"
    elif (machine := described(subject)) is not None:
        for card in listed(machine, "networkProfile", "networkInterfaceConfigurations"):
            for address in listed(card, "ipConfigurations"):
                if address.get("publicIPAddressConfiguration") not in (None, UNKNOWN):
                    yield f"it has a public address; leave publicIPAddressConfiguration out, and {ADVICE}"


def _of_rule(rule: Mapping[str, Any], *, gate: bool = False) -> Iterator[str]:
    if rule.get("access") != "Allow" or rule.get("direction") != "Inbound":
        return
    several = within(rule, "sourceAddressPrefixes")
    sources = [rule.get("sourceAddressPrefix"), *(several if isinstance(several, list | tuple) else ())]
    ports = rule.get("destinationPortRange") or rule.get("destinationPortRanges")
    for source in sources:
        if not isinstance(source, str) or source in OWN_TAGS or is_own(source):
            continue
        if not (gate and ports == HTTPS and (source == GATE or _is_one(source))):
            yield f"it lets in {source}, ports {ports}; {ADVICE}"


def _is_one(source: str) -> bool:
    try:
        return ipaddress.ip_network(source).num_addresses == 1
    except ValueError:
        return False


NO_PUBLIC_INGRESS = mistakes.NO_PUBLIC_INGRESS(one=_one)
