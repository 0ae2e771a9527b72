"""What holds for each component alone: its shape, its tags, nothing open, nothing in the clear."""

import json

import pytest

from infra.azure.describe import describe
from tests.infra.azure.things import ADDRESS, COMPONENTS, TAGS, component
from tests.infra.declared import of_type

UNTAGGED = {
    "Subnet", "PrivateDnsZoneGroup", "BlobContainer", "BlobServiceProperties", "ManagementPolicy", "RoleAssignment",
    "Image", "RoleDefinition", "Table", "DataCollectionRuleAssociation", "Budget",
}  # fmt: skip
"""Types that have no tags, each of which belongs to one that has; an image lies in a registry."""
INSIDE = ("10.20.", "VirtualNetwork", "GatewayManager", "AzureLoadBalancer")
"""Sources that are the network's own, or the platform's."""

every = pytest.mark.parametrize("kind", COMPONENTS)


@every
def test_a_component_has_the_house_s_shape(kind: str) -> None:
    declared = component(kind)
    components = [one for one in declared.values() if not one.custom]
    assert [one.token for one in components] == [f"sonarstack:azure:{kind.partition(',')[0]}"]
    for one in declared.values():
        assert one.name == "it" or one.name.startswith("it-")
        assert one.name == "it" or one.parent == components[0].urn


@every
def test_whatever_can_carry_tags_does(kind: str) -> None:
    for one in component(kind).values():
        if one.custom and one.token.rsplit(":", 1)[-1] not in UNTAGGED:
            assert TAGS.items() <= one.inputs["tags"].items(), one.name


@every
def test_nothing_is_told_before_it_is_known(kind: str) -> None:
    text = str([one.inputs for one in component(kind).values()])
    assert "Calling __str__ on an Output" not in text
    assert "Output" not in text


@every
def test_nothing_comes_in_from_outside_but_the_caller_to_the_gate(kind: str) -> None:
    for locks in of_type(component(kind), "NetworkSecurityGroup"):
        let = [
            rule
            for rule in locks.inputs["securityRules"]
            if (rule["direction"], rule["access"]) == ("Inbound", "Allow")
        ]
        for rule in let:
            source = rule["sourceAddressPrefix"]
            assert source.startswith(INSIDE) or (kind, source) == ("Bastion", ADDRESS), rule["name"]
        assert {
            (rule["access"], rule["sourceAddressPrefix"], rule["destinationPortRange"], rule["protocol"])
            for rule in locks.inputs["securityRules"]
            if rule["direction"] == "Inbound" and rule["priority"] == 4096
        } == {("Deny", "*", "*", "*")}


@every
def test_each_subnet_has_locks_and_no_way_out_of_azure_s_own(kind: str) -> None:
    declared = component(kind)
    locks = {one.inputs["networkSecurityGroupName"] for one in of_type(declared, "NetworkSecurityGroup")}
    for subnet in of_type(declared, "Subnet"):
        assert subnet.inputs["defaultOutboundAccess"] is False, subnet.name
        assert subnet.inputs["networkSecurityGroup"]["id"].rpartition("/")[2] in locks, subnet.name


@every
def test_an_address_is_the_way_out_s_or_the_gate_s(kind: str) -> None:
    declared = component(kind)
    (held,) = {len(of_type(declared, "NatGateway")) + len(of_type(declared, "BastionHost"))}
    assert len(of_type(declared, "PublicIPAddress")) == held


@every
def test_each_part_has_words_that_fit(kind: str) -> None:
    told = {one.name: describe(one.token, one.inputs) for one in component(kind).values() if one.custom}
    assert any(told.values())
    for wrong in ("NOT", "NO ", "AT ONCE", "open", "None", "planted", "password"):
        assert wrong not in json.dumps(told)
