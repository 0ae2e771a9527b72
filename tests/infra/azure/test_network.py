"""Both profiles of the network: what may go out, by which way, and what it costs."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from infra.azure.network import Network
from infra.azure.network_prices import (
    bastion_usd_per_h,
    network_usd_per_h,
    network_usd_per_month,
    registry_usd_per_h,
)
from infra.azure.ways import BASTION, CIDR, ENDPOINTS, MACHINES, door_ways, gate_ways, machine_ways
from stacks.mock_run import Declared
from tests.infra.azure.things import ADDRESS, NETWORK, REGISTRY, STORAGE_IDS, VAULT, component
from tests.infra.declared import made, of_type

CHEAP, PRIVATE = "Network, cheap", "Network, private"
both = pytest.mark.parametrize("profile", [CHEAP, PRIVATE])
DOCKER = IPv4Network("172.17.0.0/16")


def out(declared: Mapping[str, Declared], group: str = "it-machines-ways") -> dict[str, tuple[str, str]]:
    """Destination, port and protocol of what a group lets out."""
    return {
        rule["destinationAddressPrefix"]: (rule["destinationPortRange"], rule["protocol"])
        for rule in declared[group].inputs["securityRules"]
        if (rule["direction"], rule["access"]) == ("Outbound", "Allow")
    }


def test_the_cheap_profile_goes_out_to_azure_s_services_by_https_only() -> None:
    found = out(component(CHEAP))
    assert set(found) == {
        "AzureResourceManager", "AzureActiveDirectory", "AzureMonitor", "Storage", "AzureKeyVault",
        "AzureContainerRegistry", "MicrosoftContainerRegistry", "AzureFrontDoor.FirstParty",
    }  # fmt: skip
    assert set(found.values()) == {("443", "Tcp")}
    machines = component(CHEAP)["it-machines"].inputs
    assert [one["service"] for one in machines["serviceEndpoints"]] == [
        "Microsoft.Storage",
        "Microsoft.KeyVault",
    ]
    assert not of_type(component(CHEAP), "Subnet")[1:]


def test_the_private_profile_reaches_data_secrets_and_images_by_its_endpoints_only() -> None:
    declared = component(PRIVATE)
    assert set(out(declared)) == {"AzureResourceManager", "AzureActiveDirectory", "AzureMonitor", ENDPOINTS}
    assert declared["it-machines"].inputs["serviceEndpoints"] == []
    assert out(declared, "it-endpoints-ways") == {}
    came = [
        (rule["sourceAddressPrefix"], rule["destinationPortRange"])
        for rule in declared["it-endpoints-ways"].inputs["securityRules"]
        if rule["access"] == "Allow"
    ]
    assert came == [(MACHINES, "443")]
    assert "natGateway" not in declared["it-endpoints"].inputs
    # Without it a security group does not hold for endpoints.
    assert declared["it-endpoints"].inputs["privateEndpointNetworkPolicies"] == "Enabled"
    assert declared["it-machines"].urn in declared["it-endpoints"].after


@both
def test_the_machines_subnet_has_one_way_out(profile: str) -> None:
    declared = component(profile)
    way_out, address = declared["it-out"], declared["it-address"].inputs
    assert declared["it-machines"].inputs["natGateway"]["id"].endswith(way_out.inputs["natGatewayName"])
    assert [one["id"].rpartition("/")[2] for one in way_out.inputs["publicIpAddresses"]] == [
        address["publicIpAddressName"]
    ]
    assert (address["sku"]["name"], address["publicIPAllocationMethod"]) == ("Standard", "Static")


@both
def test_nothing_else_goes_out(profile: str) -> None:
    last = [
        (rule["access"], rule["destinationAddressPrefix"], rule["protocol"])
        for rule in component(profile)["it-machines-ways"].inputs["securityRules"]
        if rule["direction"] == "Outbound" and rule["priority"] == 4096
    ]
    assert last == [("Deny", "*", "*")]


def test_only_with_a_gate_does_ssh_come_in_and_only_from_it() -> None:
    declared = made(lambda: Network("it", replace(NETWORK, bastion=True)))
    came = [
        (rule["sourceAddressPrefix"], rule["destinationPortRange"])
        for rule in declared["it-machines-ways"].inputs["securityRules"]
        if (rule["direction"], rule["access"]) == ("Inbound", "Allow")
    ]
    assert came == [(BASTION, "22")]
    gate = component("Bastion")
    assert gate["it-subnet"].inputs["addressPrefix"] == BASTION
    host = gate["it-host"].inputs
    assert (host["sku"], host["enableTunneling"], host["enableShareableLink"]) == (
        {"name": "Standard"},
        True,
        False,
    )


def test_an_image_from_elsewhere_is_let_out_for() -> None:
    assert "Internet" in out(made(lambda: Network("it", replace(NETWORK, outside=True))))
    assert "Internet" not in out(component(CHEAP))


@pytest.mark.parametrize(
    "ways",
    [
        machine_ways("cheap", bastion=True, outside=True),
        machine_ways("private", bastion=False, outside=False),
        door_ways(),
        gate_ways(ADDRESS),
    ],
)
def test_azure_takes_the_rules(ways: tuple[object, ...]) -> None:
    """Names and, in each direction, priorities are different ones, the latter from 100 to 4096."""
    names = [way.name for way in ways]  # type: ignore[attr-defined]
    ranks = [(way.direction, way.priority) for way in ways]  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)
    assert len(set(ranks)) == len(ranks)
    assert all(100 <= rank <= 4096 for _, rank in ranks)


def test_the_shares_fit_the_network_and_none_is_docker_s() -> None:
    shares = [IPv4Network(one) for one in (MACHINES, ENDPOINTS, BASTION)]
    assert all(share.subnet_of(IPv4Network(CIDR)) and not share.overlaps(DOCKER) for share in shares)
    assert not any(a.overlaps(b) for a in shares for b in shares if a is not b)
    assert shares[-1].prefixlen == 26  # the smallest that a Bastion takes


def test_each_service_has_an_endpoint_and_a_zone_that_the_network_asks() -> None:
    declared = component("Doors")
    to = {
        one.inputs["privateLinkServiceConnections"][0]["privateLinkServiceId"]: one.inputs[
            "privateLinkServiceConnections"
        ][0]["groupIds"]
        for one in of_type(declared, "PrivateEndpoint")
    }
    assert to == {STORAGE_IDS.account: ["blob"], VAULT: ["vault"], REGISTRY: ["registry"]}
    assert {one.inputs["privateZoneName"] for one in of_type(declared, "PrivateZone")} == {
        "privatelink.blob.core.windows.net", "privatelink.vaultcore.azure.net", "privatelink.azurecr.io",
    }  # fmt: skip
    for kind in ("storage", "vault", "registry"):
        zone = declared[f"it-{kind}-zone"].inputs["privateZoneName"]
        (config,) = declared[f"it-{kind}-names"].inputs["privateDnsZoneConfigs"]
        assert config["privateDnsZoneId"].endswith(zone)
        assert declared[f"it-{kind}-link"].inputs["privateZoneName"] == zone
        assert declared[f"it-{kind}-link"].inputs["registrationEnabled"] is False
    # A subnet takes one change at a time.
    assert declared["it-storage"].urn in declared["it-vault"].after
    assert declared["it-vault"].urn in declared["it-registry"].after


def test_what_the_profiles_cost() -> None:
    assert network_usd_per_h("cheap") == pytest.approx(0.05)
    assert network_usd_per_month("cheap") == pytest.approx(36.5)
    assert network_usd_per_month("private") == pytest.approx(36.5 + 3 * 7.3 + 3 * 0.5)
    assert network_usd_per_month("private", doors=2) == pytest.approx(36.5 + 2 * 7.3 + 2 * 0.5)
    assert bastion_usd_per_h() == pytest.approx(0.295)
    assert registry_usd_per_h("private") == pytest.approx(10 * registry_usd_per_h("cheap"), rel=0.01)
