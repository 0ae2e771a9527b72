"""Where the training image lies, for the machine to take it by digest."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.network_prices import Profile

SKUS: Mapping[Profile, str] = {"cheap": "Basic", "private": "Premium"}
"""Only Premium has a firewall and endpoints; the other two are open to all networks, and to whoever has a role."""
REPOSITORY = "training"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRegistryArgs:
    """What an `ImageRegistry` is made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    registry_name: str
    profile: Profile
    caller_address: str
    """IPv4 address, or a block, from where images are pushed: in the private profile the only one."""
    tags: Mapping[str, pulumi.Input[str]]


class ImageRegistry(pulumi.ComponentResource):
    """No password of its own and nobody unnamed: by roles only. It goes with the stack, with all images.

    Encrypted by Azure's keys: for one of its own it would have to reach the key's vault by the open network.
    """

    def __init__(
        self, name: str, args: ImageRegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:azure:ImageRegistry", name, None, opts)
        registry = azure.containerregistry.Registry(
            f"{name}-registry",
            registry_name=args.registry_name,
            resource_group_name=args.group,
            location=args.location,
            sku=azure.containerregistry.SkuArgs(name=SKUS[args.profile]),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            policies=azure.containerregistry.PoliciesArgs(
                # Both sides log in by exchange of a token of Azure's (`infra.azure.registry_token`).
                azure_ad_authentication_as_arm_policy=azure.containerregistry.AzureADAuthenticationAsArmPolicyArgs(
                    status="enabled"
                )
            ),
            public_network_access="Enabled",
            network_rule_bypass_options=None if args.profile == "cheap" else "None",
            network_rule_set=None if args.profile == "cheap" else _only_from(args.caller_address),
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.registry_id: pulumi.Output[str] = registry.id
        self.login_server: pulumi.Output[str] = registry.login_server
        self.repository_url: pulumi.Output[str] = pulumi.Output.concat(registry.login_server, "/", REPOSITORY)
        self.register_outputs({"registryId": self.registry_id, "repositoryUrl": self.repository_url})


def _only_from(address: str) -> azure.containerregistry.NetworkRuleSetArgs:
    return azure.containerregistry.NetworkRuleSetArgs(
        default_action="Deny",
        ip_rules=[azure.containerregistry.IPRuleArgs(i_p_address_or_range=address, action="Allow")],
    )
