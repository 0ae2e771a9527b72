"""The rules against resources of Azure as they should be, which break none, and against mistakes planted into them."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pulumi_azure_native as azure
import pytest

from stacks.policy import aws as amazon
from stacks.policy.azure import RULES
from stacks.policy.azure.marks import UNTAGGABLE
from stacks.policy.marks import LEASE, STAMP
from stacks.policy.mistakes import joined
from stacks.policy.subject import UNKNOWN, Subject
from tests.stacks.azure_stack import declared
from tests.stacks.policy import planting
from tests.stacks.policy.azure_resources import MARKS, OWNER, READER, SUBSCRIPTION, role, stack
from tests.stacks.policy.planting import Inputs, changed, places


def told(subjects: Mapping[str, Subject]) -> list[tuple[str, str, str]]:
    return planting.told(RULES, subjects)


def test_what_is_as_it_should_be_breaks_no_rule() -> None:
    assert len(stack()) == 11
    assert told(stack()) == []


@pytest.mark.parametrize(
    "way", [{}, {"network": "private", "keepBucket": "false", "market": "on_demand"}, {"bastion": "true"}]
)
def test_the_stack_as_it_is_breaks_no_rule(way: dict[str, str]) -> None:
    whole = {one.name: planting.subject_of(one) for one in declared(**way).values()}
    assert len(whole) > 50
    assert told(whole) == []


def test_a_bastion_lets_in_what_steers_it_and_one_address_at_its_own_port() -> None:
    def way(source: str, port: str) -> Inputs:
        return {
            "access": "Allow", "direction": "Inbound", "sourceAddressPrefix": source, "destinationPortRange": port,
        }  # fmt: skip

    gate = [way("GatewayManager", "443"), way("203.0.113.7", "443")]
    assert told(added("network:NetworkSecurityGroup", securityRules=gate)) == []
    for wrong in (way("203.0.113.7", "22"), way("203.0.113.0/24", "443"), way("Internet", "443")):
        assert len(told(added("network:NetworkSecurityGroup", securityRules=[*gate, wrong]))) == 1
    assert len(told(added("network:NetworkSecurityGroup", securityRules=gate[1:]))) == 1


def put(value: Any, *path: str | int) -> Callable[[Inputs], object]:
    """Sets what lies there; `None` takes it out."""

    def change(inputs: Any) -> None:
        for step in path[:-1]:
            inputs = inputs[step]
        if value is None:
            del inputs[path[-1]]
        else:
            inputs[path[-1]] = value

    return change


STORAGE, INGRESS, BUCKET = "encrypted-storage", "no-public-ingress", "no-public-bucket"
RIGHTS, MARK, LEASES, TOKEN = (
    "no-wildcard-rights", "stamp-on-everything", "lease-on-machines", "rights-by-token",
)  # fmt: skip
CARDS = ("networkProfile", "networkInterfaceConfigurations", 0, "ipConfigurations", 0)
WAY = ("securityRules", 0)
OS_DISK = ("storageProfile", "osDisk", "managedDisk", "diskEncryptionSet")
EVERY_NETWORK = [{"iPAddressOrRange": "0.0.0.0/0"}]
ALL_SECRETS = [{"objectId": "o", "tenantId": "t", "permissions": {"secrets": ["All"]}}]

PLANTED: list[tuple[str, str, Callable[[Inputs], object], str]] = [
    (STORAGE, "account", put(None, "encryption", "keyVaultProperties"), "one of Azure; set .*Keyvault and give it"),
    (STORAGE, "account", put("Microsoft.Storage", "encryption", "keySource"), "its key is one of Azure"),
    (STORAGE, "account", put(None, "encryption", "requireInfrastructureEncryption"), "encrypted once only"),
    (STORAGE, "account", put(False, "enableHttpsTrafficOnly"), "answers without encryption"),
    (STORAGE, "account", put("TLS1_0", "minimumTlsVersion"), "minimumTlsVersion=TLS1_2"),
    (STORAGE, "account", put(None, "minimumTlsVersion"), "minimumTlsVersion=TLS1_2"),
    (STORAGE, "machine", put(None, *OS_DISK), "its root disk is under a key of Azure; give it"),
    (STORAGE, "machine", put(None, "storageProfile"), "its root disk is under a key of Azure; give it"),
    (STORAGE, "machine", put(None, "storageProfile", "dataDisks", 0, "managedDisk"), "its data disk 1 is under a key"),
    (STORAGE, "disk", put(None, "encryption"), "diskEncryptionSetId is not set"),
    (INGRESS, "ways", put("Internet", *WAY, "sourceAddressPrefix"), "lets in Internet, ports 22; let in a subnet"),
    (INGRESS, "ways", put("*", *WAY, "sourceAddressPrefix"), r"lets in \*"),
    (INGRESS, "ways", put(["10.0.0.0/8", "0.0.0.0/0"], *WAY, "sourceAddressPrefixes"), r"lets in 0\.0\.0\.0/0"),
    (INGRESS, "ways", put("Allow", "securityRules", 1, "access"), r"lets in \*"),
    (INGRESS, "card", put({"id": "address"}, "ipConfigurations", 0, "publicIPAddress"), "has a public address"),
    (INGRESS, "machine", put({"name": "p"}, *CARDS, "publicIPAddressConfiguration"), "has a public address"),
    (BUCKET, "account", put(True, "allowBlobPublicAccess"), "opened to strangers; set allowBlobPublicAccess=False"),
    (BUCKET, "account", put(None, "allowBlobPublicAccess"), "opened to strangers"),
    (BUCKET, "account", put("Allow", "networkRuleSet", "defaultAction"), "answers every network"),
    (BUCKET, "account", put(None, "networkRuleSet"), "answers every network"),
    (BUCKET, "account", put(EVERY_NETWORK, "networkRuleSet", "ipRules"), r"answers 0\.0\.0\.0/0"),
    (BUCKET, "container", put("Blob", "publicAccess"), "publicAccess=Blob opens it"),
    (BUCKET, "registry", put(True, "anonymousPullEnabled"), "images to strangers"),
    (RIGHTS, "role", put(["Microsoft.Compute/*"], "permissions", 0, "actions"), r"actions Microsoft\.Compute/\* is a"),
    (RIGHTS, "role", put(["*"], "permissions", 0, "dataActions"), r"dataActions \* is a wildcard; name the actions"),
    (RIGHTS, "role", put([SUBSCRIPTION], "assignableScopes"), "assignableScopes /subscriptions/s holds more"),
    (RIGHTS, "assignment", put(role(OWNER), "roleDefinitionId"), "role Owner is a wildcard; give a role"),
    (RIGHTS, "assignment", put(SUBSCRIPTION, "scope"), "scope /subscriptions/s holds more than the stack; name its"),
    (RIGHTS, "vault", put(ALL_SECRETS, "properties", "accessPolicies"), "permissions.secrets all is a wildcard"),
    (MARK, "vault", put(None, "tags", STAMP), f"no tag {STAMP}; give it"),
    (MARK, "ways", put(None, "tags"), f"no tag {STAMP}; give it"),
    (LEASES, "machine", put(None, "tags", LEASE), f"it has no tag {LEASE}.*leaseUntil"),
    (LEASES, "machine", put("never", "tags", LEASE), "=never, which is no moment"),
    (TOKEN, "account", put(True, "allowSharedKeyAccess"), "the account's key may do everything"),
    (TOKEN, "account", put(None, "allowSharedKeyAccess"), "set allowSharedKeyAccess=False"),
    (TOKEN, "account", put(True, "isLocalUserEnabled"), "isLocalUserEnabled lets in"),
    (TOKEN, "registry", put(True, "adminUserEnabled"), "one password for everybody"),
    (TOKEN, "machine", put(False, "osProfile", "linuxConfiguration", "disablePasswordAuthentication"), "takes passw"),
    (TOKEN, "machine", put("hush", "osProfile", "adminPassword"), "adminPassword opens it"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name", "change", "said"), PLANTED)
def test_a_planted_mistake_is_refused_by_the_one_rule_in_one_sentence(
    rule: str, name: str, change: Callable[[Inputs], object], said: str
) -> None:
    ((who, where, text),) = told(changed(stack(), name, change))
    assert (who, where) == (rule, name)
    assert re.search(said, text), text
    assert "hush" not in text


def test_all_seven_mistakes_are_planted_and_named_as_on_aws() -> None:
    assert {rule for rule, *_ in PLANTED} == {rule.name for rule in RULES} == {r.name for r in amazon.RULES}


def added(kind: str, **inputs: Any) -> dict[str, Subject]:
    """The stack and one resource more."""
    token = f"azure-native:{kind}"
    return {"new": Subject(urn="urn:new", token=token, name="new", inputs={"tags": MARKS, **inputs})}


@pytest.mark.parametrize(
    ("rule", "kind", "inputs"),
    [
        (INGRESS, "network:SecurityRule", {
            "access": "Allow", "direction": "Inbound", "sourceAddressPrefix": "203.0.113.0/24",
            "destinationPortRanges": ["22"],
        }),
        (BUCKET, "storage:StorageAccountStaticWebsite", {}),
        (RIGHTS, "keyvault:AccessPolicy", {"policy": ALL_SECRETS[0]}),
        (RIGHTS, "authorization:RoleAssignment", {
            "scope": "/providers/Microsoft.Management/managementGroups/all", "roleDefinitionId": role(READER),
        }),
        (LEASES, "machinelearningservices:Compute", {"tags": {STAMP: "x"}}),
        (TOKEN, "storage:LocalUser", {}),
        (STORAGE, "compute:Snapshot", {"encryption": {"type": "EncryptionAtRestWithPlatformKey"}}),
        (STORAGE, "compute/v20230301:Disk", {}),
    ],
)  # fmt: skip
def test_a_resource_too_many_is_refused_by_the_one_rule(rule: str, kind: str, inputs: Inputs) -> None:
    assert [(who, where) for who, where, _ in told(added(kind, **inputs))] == [(rule, "new")]


def test_a_machine_and_a_scale_set_that_say_nothing_break_what_they_can_break() -> None:
    bare = told(added("compute:VirtualMachine", tags={}, osProfile={}))
    assert {who for who, _, _ in bare} == {STORAGE, MARK, LEASES, TOKEN}
    several = told(added("compute:VirtualMachineScaleSet", tags={}, virtualMachineProfile={"osProfile": {}}))
    assert {who for who, _, _ in several} == {STORAGE, MARK, LEASES, TOKEN}


def test_an_account_that_answers_no_network_needs_no_list_of_networks() -> None:
    shut = changed(stack(), "account", put("Disabled", "publicNetworkAccess"))
    assert told(changed(shut, "account", put(None, "networkRuleSet"))) == []


def test_what_is_not_known_yet_is_judged_at_up() -> None:
    blind = {name: replace(one, inputs=dict.fromkeys(one.inputs, UNKNOWN)) for name, one in stack().items()}
    assert told(blind) == []


def test_every_part_of_an_input_may_be_unknown() -> None:
    """One at a time: an error here would stop an `up` for nothing, a finding would be a guess."""
    tried = 0
    for name, one in stack().items():
        inputs = copy.deepcopy(dict(one.inputs))
        for holder, key in places(inputs):
            was, holder[key] = holder[key], UNKNOWN
            assert told({name: replace(one, inputs=inputs)}) == [], (name, key)
            holder[key] = was
            tried += 1
    assert tried > 80


def test_the_rules_of_all_clouds_are_seven_and_none_looks_at_another_s() -> None:
    together = joined((amazon.RULES, RULES))
    assert [rule.name for rule in together] == [rule.name for rule in amazon.RULES]
    assert planting.told(amazon.RULES, stack()) == []
    for rule, name, change, _ in PLANTED:
        found = planting.told(together, changed(stack(), name, change))
        assert [(who, where) for who, where, _ in found] == [(rule, name)]


def test_what_is_said_to_take_no_tags_takes_none() -> None:
    for kind in UNTAGGABLE:
        module, _, word = kind.partition("/")
        found = getattr(getattr(azure, module), word)
        assert not hasattr(found, "tags"), kind
