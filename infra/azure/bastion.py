"""A way for `ssh` to a machine without an address: Azure's own gate, which asks for the caller's account first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.locks import security_group
from infra.azure.ways import BASTION, gate_ways

SUBNET = "AzureBastionSubnet"
"""The one name that Azure takes for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BastionArgs:
    """What a `Bastion` is made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    stamp: str
    network_name: pulumi.Input[str]
    caller_address: str
    """IPv4 address, or a block: nobody else comes to the gate."""
    tags: Mapping[str, pulumi.Input[str]]
    after: Sequence[pulumi.Resource]
    """The network's other subnets: Azure changes one at a time."""


class Bastion(pulumi.ComponentResource):
    """A host of SKU Standard, the cheapest that tunnels; billed by the hour as long as it stands."""

    def __init__(self, name: str, args: BastionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Bastion", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        locks = security_group(
            f"{name}-ways",
            f"{args.stamp}-bastion",
            gate_ways(args.caller_address),
            group=args.group,
            location=args.location,
            tags=args.tags,
            opts=child,
        )
        subnet = azure.network.Subnet(
            f"{name}-subnet",
            subnet_name=SUBNET,
            virtual_network_name=args.network_name,
            resource_group_name=args.group,
            address_prefix=BASTION,
            default_outbound_access=False,
            network_security_group=azure.network.NetworkSecurityGroupArgs(id=locks.id),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        address = azure.network.PublicIPAddress(
            f"{name}-address",
            public_ip_address_name=f"{args.stamp}-bastion",
            resource_group_name=args.group,
            location=args.location,
            sku=azure.network.PublicIPAddressSkuArgs(name="Standard", tier="Regional"),
            public_ip_allocation_method="Static",
            public_ip_address_version="IPv4",
            tags=args.tags,
            opts=child,
        )
        host = azure.network.BastionHost(
            f"{name}-host",
            bastion_host_name=f"{args.stamp}-bastion",
            resource_group_name=args.group,
            location=args.location,
            sku=azure.network.SkuArgs(name="Standard"),
            enable_tunneling=True,
            # By links anybody could come in who has one.
            enable_shareable_link=False,
            enable_ip_connect=False,
            ip_configurations=[
                azure.network.BastionHostIPConfigurationArgs(
                    name="gate",
                    subnet=azure.network.SubResourceArgs(id=subnet.id),
                    public_ip_address=azure.network.SubResourceArgs(id=address.id),
                    private_ip_allocation_method="Dynamic",
                )
            ],
            tags=args.tags,
            opts=child,
        )
        self.bastion_name: pulumi.Output[str] = host.name
        self.register_outputs({"bastionName": self.bastion_name})
