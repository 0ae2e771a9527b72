"""Both profiles of the network: what may go out, by which way, and what it costs."""

from dataclasses import replace

import pytest

from infra.aws.endpoint_policies import SERVICES
from infra.aws.network import Network
from infra.aws.network_prices import network_usd_per_h, network_usd_per_month
from infra.errors import SettingsError
from tests.infra.aws.things import ACCOUNT, KEY_ARN, NETWORK, component
from tests.infra.declared import made, of_type

CHEAP, PRIVATE = "Network, cheap", "Network, private"
both = pytest.mark.parametrize("profile", [CHEAP, PRIVATE])


def test_the_cheap_profile_goes_out_by_https_only() -> None:
    rules = of_type(component(CHEAP), "SecurityGroupEgressRule")
    assert [
        (r.inputs["cidrIpv4"], r.inputs["ipProtocol"], r.inputs["fromPort"], r.inputs["toPort"])
        for r in rules
    ] == [("0.0.0.0/0", "tcp", 443, 443)]
    assert not of_type(component(CHEAP), "SecurityGroupIngressRule")
    assert {one.inputs["vpcEndpointType"] for one in of_type(component(CHEAP), "VpcEndpoint")} == {"Gateway"}


def test_the_private_profile_has_no_way_to_the_internet() -> None:
    declared = component(PRIVATE)
    assert not of_type(declared, "InternetGateway")
    assert not of_type(declared, "NatGateway")
    assert not of_type(declared, "Route")
    rules = {one.name: one.inputs for one in of_type(declared, "SecurityGroupEgressRule")}
    assert rules["it-machine-doors"]["referencedSecurityGroupId"] == "it-doors-group-id"
    assert rules["it-machine-s3"]["prefixListId"] == "pl-00000000"
    assert {(rule["fromPort"], rule["toPort"], rule["ipProtocol"]) for rule in rules.values()} == {
        (443, 443, "tcp")
    }
    assert len(rules) == 2


def test_the_private_profile_has_a_door_to_each_service_in_one_zone() -> None:
    doors = [
        one
        for one in of_type(component(PRIVATE), "VpcEndpoint")
        if one.inputs["vpcEndpointType"] == "Interface"
    ]
    assert {one.inputs["serviceName"] for one in doors} == {
        f"com.amazonaws.us-east-1.{s.name}" for s in SERVICES
    }
    assert all(one.inputs["privateDnsEnabled"] for one in doors)
    assert all(one.inputs["subnetIds"] == ["it-subnet-a-id"] for one in doors)
    assert all(one.inputs["securityGroupIds"] == ["it-doors-group-id"] for one in doors)
    (way_in,) = of_type(component(PRIVATE), "SecurityGroupIngressRule")
    assert way_in.inputs["referencedSecurityGroupId"] == "it-machine-id"
    assert way_in.inputs["securityGroupId"] == "it-doors-group-id"


@both
def test_what_aws_makes_by_itself_is_closed(profile: str) -> None:
    (default,) = of_type(component(profile), "DefaultSecurityGroup")
    assert (default.inputs["ingress"], default.inputs["egress"]) == ([], [])


@both
def test_each_zone_has_a_subnet_with_routes(profile: str) -> None:
    declared = component(profile)
    shares = {s.inputs["availabilityZone"]: s.inputs["cidrBlock"] for s in of_type(declared, "Subnet")}
    assert shares == {"us-east-1a": "10.20.0.0/20", "us-east-1c": "10.20.32.0/20"}
    assert len(of_type(declared, "RouteTableAssociation")) == 2
    (gateway,) = [
        one for one in of_type(declared, "VpcEndpoint") if one.inputs["vpcEndpointType"] == "Gateway"
    ]
    assert gateway.inputs["routeTableIds"] == ["it-routes-id"]


@both
def test_flows_are_written_encrypted_by_a_role_that_can_do_nothing_else(profile: str) -> None:
    declared = component(profile)
    (flow,) = of_type(declared, "FlowLog")
    assert (flow.inputs["trafficType"], flow.inputs["vpcId"]) == ("ALL", "it-vpc-id")
    assert flow.inputs["iamRoleArn"].endswith(":role/it-flow-role")
    assert declared["it-flow-records"].inputs["kmsKeyId"] == KEY_ARN
    assert '"logs:CreateLogGroup"' not in declared["it-flow-rights"].inputs["policy"]
    assert ACCOUNT in declared["it-flow-role"].inputs["assumeRolePolicy"]
    assert declared["it-flow-rights"].urn in flow.after


def test_only_the_cheap_profile_s_machine_has_an_address() -> None:
    seen: list[bool] = []
    for profile in ("cheap", "private"):
        made(
            lambda profile=profile: seen.append(
                Network("it", replace(NETWORK, profile=profile)).public_address
            )
        )
    assert seen == [True, False]


def test_addresses_that_do_not_fit_are_refused_before_anything_is_declared() -> None:
    with pytest.raises(SettingsError, match="no zone"):
        made(lambda: Network("it", replace(NETWORK, zones=())))


def test_what_the_profiles_cost() -> None:
    assert network_usd_per_h("private") == pytest.approx(0.08)
    assert network_usd_per_month("private") == pytest.approx(58.4)
    assert network_usd_per_month("private", zones=3) == pytest.approx(3 * 58.4)
    assert network_usd_per_month("cheap") == network_usd_per_month("cheap", zones=3) == pytest.approx(3.65)
