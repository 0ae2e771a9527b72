"""What every vault of a stack is: by roles only, closed to all but who is named, and not to be emptied for a week."""

import pulumi
import pulumi_azure_native as azure

from infra.azure.vaults import DELETION_DAYS


def locked_vault(
    tenant_id: str, subnet_id: pulumi.Input[str] | None = None
) -> "azure.keyvault.VaultPropertiesArgs":
    """Properties of a vault; `subnet_id` is the one network that comes in by its service endpoint, None for none."""
    subnets = [] if subnet_id is None else [subnet_id]
    return azure.keyvault.VaultPropertiesArgs(
        sku=azure.keyvault.SkuArgs(family="A", name=azure.keyvault.SkuName.STANDARD),
        tenant_id=tenant_id,
        enable_rbac_authorization=True,
        enable_soft_delete=True,
        enable_purge_protection=True,
        soft_delete_retention_in_days=DELETION_DAYS,
        public_network_access="Enabled" if subnets else "Disabled",
        network_acls=azure.keyvault.NetworkRuleSetArgs(
            default_action="Deny",
            bypass="AzureServices",
            ip_rules=[],
            virtual_network_rules=[azure.keyvault.VirtualNetworkRuleArgs(id=subnet) for subnet in subnets],
        ),
    )
