"""What Azure would answer of its own to a resource, as far as others take it up."""

from collections.abc import Mapping
from typing import Any

SUBSCRIPTION, TENANT = "00000000-0000-0000-0000-000000000000", "11111111-1111-1111-1111-111111111111"
"""Of nobody."""
PROVIDERS = {
    "applicationinsights": "Microsoft.Insights",
    "authorization": "Microsoft.Authorization", "compute": "Microsoft.Compute", "consumption": "Microsoft.Consumption",
    "containerregistry": "Microsoft.ContainerRegistry", "devtestlab": "Microsoft.DevTestLab",
    "keyvault": "Microsoft.KeyVault", "logic": "Microsoft.Logic", "managedidentity": "Microsoft.ManagedIdentity",
    "monitor": "Microsoft.Insights", "network": "Microsoft.Network",
    "operationalinsights": "Microsoft.OperationalInsights", "privatedns": "Microsoft.Network",
    "resources": "Microsoft.Resources", "storage": "Microsoft.Storage",
}  # fmt: skip
INSIDE = {
    "BlobContainer": ("Microsoft.Storage/storageAccounts", "accountName", "blobServices/default/containers"),
    "BlobServiceProperties": ("Microsoft.Storage/storageAccounts", "accountName", "blobServices"),
    "ManagementPolicy": ("Microsoft.Storage/storageAccounts", "accountName", "managementPolicies"),
    "Key": ("Microsoft.KeyVault/vaults", "vaultName", "keys"),
    "Secret": ("Microsoft.KeyVault/vaults", "vaultName", "secrets"),
    "Subnet": ("Microsoft.Network/virtualNetworks", "virtualNetworkName", "subnets"),
}
"""What is part of another: the other's type, the input that names it, and the path from there."""
PLURALS = {
    "UserAssignedIdentity": "userAssignedIdentities", "PublicIPAddress": "publicIPAddresses", "Registry": "registries",
    "PrivateZone": "privateDnsZones",
}  # fmt: skip
NAMED_BY = {
    "BlobContainer": "containerName", "BlobServiceProperties": "blobServicesName", "PrivateZone": "privateZoneName",
    "PublicIPAddress": "publicIpAddressName",
}  # fmt: skip


def azure_id(token: str, name: str, inputs: Mapping[str, Any]) -> str:
    """An id of the right form for everything."""
    module, _, kind = token.split(":", 1)[1].partition(":")
    if kind == "ResourceGroup":
        return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{inputs.get('resourceGroupName', name)}"
    scope = inputs.get("scope") or (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{inputs.get('resourceGroupName', 'group')}"
    )
    if kind in INSIDE:
        whole, named, path = INSIDE[kind]
        return f"{scope}/providers/{whole}/{inputs.get(named)}/{path}/{azure_name(kind, name, inputs)}"
    plural = PLURALS.get(kind, f"{kind[0].lower()}{kind[1:]}s")
    return f"{scope}/providers/{PROVIDERS.get(module, module)}/{plural}/{azure_name(kind, name, inputs)}"


def azure_name(kind: str, name: str, inputs: Mapping[str, Any]) -> str:
    """Its name on Azure: the input that names it, such as vaultName of a Vault; else the resource's own."""
    for key in (
        NAMED_BY.get(kind, ""),
        f"{kind[0].lower()}{kind[1:]}Name",
        "accountName",
        "vaultName",
        "vmName",
        "resourceName",
        "name",
    ):
        if isinstance(inputs.get(key), str):
            return str(inputs[key])
    return name


def azure_answers(token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs beside the inputs."""
    kind = token.rsplit(":", 1)[-1]
    called = azure_name(kind, name, inputs)
    more: dict[str, dict[str, Any]] = {
        "UserAssignedIdentity": {
            "principalId": f"{called}-principal", "clientId": f"{called}-client", "tenantId": TENANT,
        },
        "Vault": {"properties": {**inputs.get("properties", {}), "vaultUri": f"https://{called}.vault.azure.net/"}},
        "Key": {
            "keyUri": f"https://vault.vault.azure.net/keys/{called}",
            "keyUriWithVersion": f"https://vault.vault.azure.net/keys/{called}/v1",
        },
        "Secret": {
            "properties": {
                **inputs.get("properties", {}), "secretUri": f"https://vault.vault.azure.net/secrets/{called}",
            }
        },
        "StorageAccount": {"primaryEndpoints": {"blob": f"https://{called}.blob.core.windows.net/"}},
        "Registry": {"loginServer": f"{called}.azurecr.io"},
        "Workspace": {"customerId": "22222222-2222-2222-2222-222222222222"},
        "DataCollectionRule": {
            "immutableId": f"dcr-{called}",
            "endpoints": {"logsIngestion": "https://logs.ingest.monitor.azure.com"},
        },
        "DataCollectionEndpoint": {"logsIngestion": {"endpoint": "https://logs.ingest.monitor.azure.com"}},
        "Workflow": {"accessEndpoint": f"https://logic.azure.com/workflows/{called}"},
        "PublicIPAddress": {"ipAddress": "203.0.113.7"},
    }  # fmt: skip
    return {"name": called, **_identities(inputs), **more.get(kind, {})}


def azure_says(token: str) -> dict[str, Any]:
    """Answer to a question to Azure, beside what was asked with."""
    if token.endswith(":listWorkflowTriggerCallbackUrl"):
        return {"value": "https://logic.azure.com/workflows/called?sig=planted-signature"}
    return {}


def _identities(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A list of ids goes in, and comes out as a table by id."""
    identity = inputs.get("identity")
    if not isinstance(identity, Mapping) or "userAssignedIdentities" not in identity:
        return {}
    return {"identity": {**identity, "userAssignedIdentities": {}}}
