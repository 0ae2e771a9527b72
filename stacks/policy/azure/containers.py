"""No container is read or written by strangers, and no account is open to every network."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.azure.inside import listed, within
from stacks.policy.azure.storage import ACCOUNT
from stacks.policy.subject import UNKNOWN, Subject

CONTAINER, SITE, REGISTRY = (
    "storage/BlobContainer", "storage/StorageAccountStaticWebsite", "containerregistry/Registry",
)  # fmt: skip
SHUT = ("Disabled", "SecuredByPerimeter")
WIDEST = 1 << 16
"""Addresses: what is wider is nobody's own network."""


def _one(subject: Subject) -> Iterator[str]:
    inputs = subject.inputs
    if subject.kind == ACCOUNT:
        yield from _of_account(inputs)
    elif subject.kind == CONTAINER and inputs.get("publicAccess") not in (None, "None", UNKNOWN):
        yield f"publicAccess={inputs['publicAccess']} opens it to strangers; leave it out and give rights by role"
    elif subject.kind == SITE:
        yield "a website in the account is open to strangers; leave it out"
    elif subject.kind == REGISTRY and inputs.get("anonymousPullEnabled") not in (None, False, UNKNOWN):
        yield "anonymousPullEnabled opens its images to strangers; leave it out and give rights by role"


def _of_account(inputs: Mapping[str, Any]) -> Iterator[str]:
    if inputs.get("allowBlobPublicAccess") not in (False, UNKNOWN):
        yield "its containers can be opened to strangers; set allowBlobPublicAccess=False"
    if inputs.get("publicNetworkAccess") in (*SHUT, UNKNOWN):
        return
    if within(inputs, "networkRuleSet", "defaultAction") not in ("Deny", UNKNOWN):
        yield (
            "it answers every network; set networkRuleSet.defaultAction=Deny and name subnet and own address, or "
            "publicNetworkAccess=Disabled"
        )
    for rule in listed(inputs, "networkRuleSet", "ipRules"):
        source = rule.get("iPAddressOrRange")
        if isinstance(source, str) and _is_wide(source):
            yield f"it answers {source}, which is more than a network of one's own; name your own address"


def _is_wide(source: str) -> bool:
    try:
        return ipaddress.ip_network(source, strict=False).num_addresses > WIDEST
    except ValueError:
        return False  # Azure refuses it.


NO_PUBLIC_BUCKET = mistakes.NO_PUBLIC_BUCKET(one=_one)
