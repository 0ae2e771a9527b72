"""Private endpoints: addresses in the stack's own network for storage, vault and registry, and their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_azure_native as azure

Kind = Literal["storage", "vault", "registry"]
GROUPS: Mapping[Kind, str] = {"storage": "blob", "vault": "vault", "registry": "registry"}
"""Which of a service's ways in an endpoint is for."""
ZONES: Mapping[Kind, str] = {
    "storage": "privatelink.blob.core.windows.net",
    "vault": "privatelink.vaultcore.azure.net",
    "registry": "privatelink.azurecr.io",
}
"""Source: private endpoint DNS zone values of Azure's public cloud, 2026-11."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DoorsArgs:
    """What `Doors` are made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    stamp: str
    network_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """Of the endpoints."""
    to: Mapping[Kind, pulumi.Input[str]]
    """ARM ids of the storage account, the vault and the registry: those that there are."""
    tags: Mapping[str, pulumi.Input[str]]


class Doors(pulumi.ComponentResource):
    """One endpoint for each service, with its zone of names."""

    def __init__(self, name: str, args: DoorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Doors", name, None, opts)
        self._name, self._args = name, args
        self.ready: list[pulumi.Resource] = []
        """What must stand before anybody in the network asks for one of them."""
        previous: list[pulumi.Resource] = []
        for kind, target in args.to.items():
            endpoint = self._endpoint(kind, target, previous)
            names = self._names(kind, endpoint)
            previous = [endpoint]
            self.ready += names
        self.register_outputs({})

    def _endpoint(
        self, kind: Kind, target: pulumi.Input[str], after: list[pulumi.Resource]
    ) -> azure.network.PrivateEndpoint:
        args = self._args
        return azure.network.PrivateEndpoint(
            f"{self._name}-{kind}",
            private_endpoint_name=f"{args.stamp}-{kind}",
            resource_group_name=args.group,
            location=args.location,
            subnet=azure.network.SubnetArgs(id=args.subnet_id),
            private_link_service_connections=[
                azure.network.PrivateLinkServiceConnectionArgs(
                    name=kind, private_link_service_id=target, group_ids=[GROUPS[kind]]
                )
            ],
            tags=args.tags,
            # One after the other: a subnet takes one change at a time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _names(self, kind: Kind, endpoint: azure.network.PrivateEndpoint) -> list[pulumi.Resource]:
        args, child = self._args, pulumi.ResourceOptions(parent=self)
        zone = azure.privatedns.PrivateZone(
            f"{self._name}-{kind}-zone",
            private_zone_name=ZONES[kind],
            resource_group_name=args.group,
            location="global",
            tags=args.tags,
            opts=child,
        )
        link = azure.privatedns.VirtualNetworkLink(
            f"{self._name}-{kind}-link",
            virtual_network_link_name=args.stamp,
            private_zone_name=zone.name,
            resource_group_name=args.group,
            location="global",
            registration_enabled=False,
            virtual_network=azure.privatedns.SubResourceArgs(id=args.network_id),
            tags=args.tags,
            opts=child,
        )
        records = azure.network.PrivateDnsZoneGroup(
            f"{self._name}-{kind}-names",
            private_dns_zone_group_name="default",
            private_endpoint_name=endpoint.name,
            resource_group_name=args.group,
            private_dns_zone_configs=[
                azure.network.PrivateDnsZoneConfigArgs(name=kind, private_dns_zone_id=zone.id)
            ],
            opts=child,
        )
        return [link, records]
