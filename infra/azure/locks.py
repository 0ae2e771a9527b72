"""A security group, from the ways that may pass it."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_azure_native as azure

from infra.azure.ways import ANY, Way


def security_group(
    name: str,
    group_name: str,
    ways: Sequence[Way],
    *,
    group: pulumi.Input[str],
    location: str,
    tags: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> azure.network.NetworkSecurityGroup:
    """Declare it; `group` is the resource group's name."""
    return azure.network.NetworkSecurityGroup(
        name,
        network_security_group_name=group_name,
        resource_group_name=group,
        location=location,
        security_rules=[_rule(way) for way in ways],
        tags=tags,
        opts=opts,
    )


def _rule(way: Way) -> azure.network.SecurityRuleArgs:
    return azure.network.SecurityRuleArgs(
        name=way.name,
        description=way.why,
        access=way.access,
        direction=way.direction,
        protocol=way.protocol,
        source_address_prefix=way.source,
        source_port_range=ANY,
        destination_address_prefix=way.destination,
        destination_port_range=way.port,
        priority=way.priority,
    )
