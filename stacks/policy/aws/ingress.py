"""Nothing comes in from outside."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.addresses import is_own
from stacks.policy.subject import Subject, parts

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


NO_PUBLIC_INGRESS = mistakes.NO_PUBLIC_INGRESS(one=_one)
