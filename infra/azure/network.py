"""A network of the stack's own, in which nothing comes in; what goes out goes to named services, by one address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.locks import security_group
from infra.azure.network_prices import Profile
from infra.azure.ways import CIDR, ENDPOINTS, MACHINES, Way, door_ways, machine_ways

SERVICE_ENDPOINTS = ("Microsoft.Storage", "Microsoft.KeyVault")
"""By these the firewalls of storage and vault know the subnet; they cost nothing, and their traffic passes no NAT."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkArgs:
    """What a `Network` is made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    stamp: str
    profile: Profile
    """cheap: HTTPS to Azure's services by NAT. private: storage, vault and registry by endpoints (`Doors`) only."""
    tags: Mapping[str, pulumi.Input[str]]
    bastion: bool = False
    """Whether a `Bastion` may come in."""
    outside: bool = False
    """Whether HTTPS goes to anywhere: for an image, or a notice, of the user's own that lies outside Azure."""


class Network(pulumi.ComponentResource):
    """Virtual network, subnets, their security groups, and the one way out."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Network", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._network = azure.network.VirtualNetwork(
            f"{name}-network",
            virtual_network_name=f"{args.stamp}-network",
            resource_group_name=args.group,
            location=args.location,
            address_space=azure.network.AddressSpaceArgs(address_prefixes=[CIDR]),
            tags=args.tags,
            opts=self._child,
        )
        way_out = self._way_out()
        ways = machine_ways(args.profile, bastion=args.bastion, outside=args.outside)
        machines = self._subnet("machines", MACHINES, ways, after=[], way_out=way_out)
        self.ready: list[pulumi.Resource] = [machines]
        """What a machine must find: its subnet, which has its group and its way out."""
        self.endpoint_subnet_id: pulumi.Output[str] | None = None
        if args.profile == "private":
            # Azure changes a network's subnets one after the other, and refuses the second meanwhile.
            doors = self._subnet("endpoints", ENDPOINTS, door_ways(), after=[machines], way_out=None)
            self.ready.append(doors)
            self.endpoint_subnet_id = doors.id
        self.network_id: pulumi.Output[str] = self._network.id
        self.network_name: pulumi.Output[str] = self._network.name
        self.subnet_id: pulumi.Output[str] = machines.id
        self.register_outputs({"networkId": self.network_id, "subnetId": self.subnet_id})

    def _way_out(self) -> azure.network.NatGateway:
        """Replies come back by it, and nothing else: NAT takes no connection from outside."""
        address = azure.network.PublicIPAddress(
            f"{self._name}-address",
            public_ip_address_name=f"{self._args.stamp}-out",
            resource_group_name=self._args.group,
            location=self._args.location,
            sku=azure.network.PublicIPAddressSkuArgs(name="Standard", tier="Regional"),
            public_ip_allocation_method="Static",
            public_ip_address_version="IPv4",
            tags=self._args.tags,
            opts=self._child,
        )
        return azure.network.NatGateway(
            f"{self._name}-out",
            nat_gateway_name=f"{self._args.stamp}-out",
            resource_group_name=self._args.group,
            location=self._args.location,
            sku=azure.network.NatGatewaySkuArgs(name="Standard"),
            public_ip_addresses=[azure.network.SubResourceArgs(id=address.id)],
            tags=self._args.tags,
            opts=self._child,
        )

    def _subnet(
        self,
        what: str,
        cidr: str,
        ways: Sequence[Way],
        *,
        after: Sequence[pulumi.Resource],
        way_out: azure.network.NatGateway | None,
    ) -> azure.network.Subnet:
        args = self._args
        locks = security_group(
            f"{self._name}-{what}-ways",
            f"{args.stamp}-{what}",
            ways,
            group=args.group,
            location=args.location,
            tags=args.tags,
            opts=self._child,
        )
        services = SERVICE_ENDPOINTS if what == "machines" and args.profile == "cheap" else ()
        return azure.network.Subnet(
            f"{self._name}-{what}",
            subnet_name=what,
            virtual_network_name=self._network.name,
            resource_group_name=args.group,
            address_prefix=cidr,
            # Else Azure gives what has no way out one of its own, unseen and by an address that changes.
            default_outbound_access=False,
            network_security_group=azure.network.NetworkSecurityGroupArgs(id=locks.id),
            nat_gateway=None if way_out is None else azure.network.SubResourceArgs(id=way_out.id),
            service_endpoints=[
                azure.network.ServiceEndpointPropertiesFormatArgs(service=service, locations=[args.location])
                for service in services
            ],
            # Without it the rules would not hold for endpoints.
            private_endpoint_network_policies="Enabled",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
