"""The storage account once more, for one that an earlier stack left: opened to today's network and caller. Pure.

Pulumi takes up what is there as it is; Azure forgot the old subnet with the old network. A deployment by template puts
the same account again with the rules of today (Storage resource provider, accounts: create updates one that exists).
"""

from typing import Any

API = "2023-05-01"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def account_template(
    *,
    account_name: str,
    location: str,
    addresses: list[str],
    subnet_id: str | None,
    identity_id: str,
    vault_uri: str,
    key_name: str,
) -> dict[str, Any]:
    """The same locks as the account of `infra.azure.storage`: a template that left one out might reset it."""
    subnets = [] if subnet_id is None else [subnet_id]
    service = {"enabled": True, "keyType": "Account"}
    account = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": API,
        "name": account_name,
        "location": location,
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_id: {}}},
        "properties": {
            "accessTier": "Hot",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "allowCrossTenantReplication": False,
            "allowedCopyScope": "AAD",
            "defaultToOAuthAuthentication": True,
            "supportsHttpsTrafficOnly": True,
            "isLocalUserEnabled": False,
            "minimumTlsVersion": "TLS1_2",
            "publicNetworkAccess": "Enabled",
            "networkAcls": {
                "defaultAction": "Deny",
                "bypass": "None",
                "ipRules": [{"value": address, "action": "Allow"} for address in addresses],
                "virtualNetworkRules": [{"id": subnet, "action": "Allow"} for subnet in subnets],
            },
            "encryption": {
                "requireInfrastructureEncryption": True,
                "keySource": "Microsoft.Keyvault",
                "keyvaultproperties": {"keyname": key_name, "keyvaulturi": vault_uri},
                "identity": {"userAssignedIdentity": identity_id},
                "services": {"blob": service, "file": service},
            },
        },
    }
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [account]}
