"""Resources of Azure as they should be: one of each kind that a rule looks at."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import pulumi
import pulumi_azure_native as azure

from infra.naming import tags
from stacks.mock_run import declare
from stacks.policy.subject import Subject
from tests.stacks.policy import planting

MARKS = tags("azure", stamp="x", lease_until=datetime(2026, 11, 28, tzinfo=UTC))
GROUP = "/subscriptions/s/resourceGroups/g"
READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
SUBSCRIPTION = "/subscriptions/s"


def role(name: str) -> str:
    """Id of a role of Azure's own."""
    return f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{name}"


def program() -> None:
    """By Pulumi's own classes, so that inputs have the names they have there."""
    where: dict[str, Any] = {"resource_group_name": "g", "tags": MARKS}
    azure.storage.StorageAccount(
        "account", **where, kind="StorageV2", sku=azure.storage.SkuArgs(name="Standard_LRS"),
        allow_blob_public_access=False, allow_shared_key_access=False, minimum_tls_version="TLS1_2",
        enable_https_traffic_only=True,
        network_rule_set=azure.storage.NetworkRuleSetArgs(
            default_action="Deny", ip_rules=[azure.storage.IPRuleArgs(i_p_address_or_range="203.0.113.7")]
        ),
        encryption=azure.storage.EncryptionArgs(
            key_source="Microsoft.Keyvault", require_infrastructure_encryption=True,
            key_vault_properties=azure.storage.KeyVaultPropertiesArgs(key_name="k", key_vault_uri="https://v"),
        ),
    )  # fmt: skip
    azure.storage.BlobContainer("container", resource_group_name="g", account_name="a", public_access="None")
    azure.containerregistry.Registry(
        "registry", **where, sku=azure.containerregistry.SkuArgs(name="Basic"), admin_user_enabled=False
    )
    azure.network.NetworkSecurityGroup(
        "ways", **where,
        security_rules=[
            azure.network.SecurityRuleArgs(
                name="in", access="Allow", direction="Inbound", protocol="Tcp", priority=100,
                source_address_prefix="10.20.2.0/26", destination_port_range="22",
            ),
            azure.network.SecurityRuleArgs(
                name="shut", access="Deny", direction="Inbound", protocol="*", priority=4096, source_address_prefix="*"
            ),
            azure.network.SecurityRuleArgs(
                name="out", access="Allow", direction="Outbound", protocol="Tcp", priority=110,
                source_address_prefix="*", destination_address_prefix="Internet",
            ),
        ],
    )  # fmt: skip
    azure.network.NetworkInterface(
        "card", **where,
        ip_configurations=[
            azure.network.NetworkInterfaceIPConfigurationArgs(name="a", subnet=azure.network.SubnetArgs(id="s"))
        ],
    )  # fmt: skip
    disk = azure.compute.ManagedDiskParametersArgs(
        disk_encryption_set=azure.compute.DiskEncryptionSetParametersArgs(id="set")
    )
    azure.compute.VirtualMachine(
        "machine", **where, vm_name="m",
        storage_profile=azure.compute.StorageProfileArgs(
            os_disk=azure.compute.OSDiskArgs(create_option="FromImage", managed_disk=disk),
            data_disks=[azure.compute.DataDiskArgs(create_option="Empty", lun=0, managed_disk=disk)],
        ),
        os_profile=azure.compute.OSProfileArgs(
            linux_configuration=azure.compute.LinuxConfigurationArgs(disable_password_authentication=True)
        ),
        network_profile=azure.compute.NetworkProfileArgs(
            network_interface_configurations=[
                azure.compute.VirtualMachineNetworkInterfaceConfigurationArgs(
                    name="n",
                    ip_configurations=[azure.compute.VirtualMachineNetworkInterfaceIPConfigurationArgs(name="a")],
                )
            ]
        ),
    )  # fmt: skip
    azure.compute.Disk(
        "disk", **where, creation_data=azure.compute.CreationDataArgs(create_option="Empty"),
        encryption=azure.compute.EncryptionArgs(disk_encryption_set_id="set"),
    )  # fmt: skip
    azure.authorization.RoleDefinition(
        "role", scope=GROUP, assignable_scopes=[GROUP],
        permissions=[azure.authorization.PermissionArgs(actions=["Microsoft.Compute/virtualMachines/delete"])],
    )  # fmt: skip
    azure.authorization.RoleAssignment(
        "assignment", scope=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a", principal_id="p",
        role_definition_id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER}",
    )  # fmt: skip
    azure.keyvault.Vault(
        "vault", **where,
        properties=azure.keyvault.VaultPropertiesArgs(
            sku=azure.keyvault.SkuArgs(family="A", name="standard"), tenant_id="t", enable_rbac_authorization=True
        ),
    )  # fmt: skip
    pulumi.CustomResource("sonarstack:index:Lease", "lease", {"maxHours": 1})


@cache
def stack() -> dict[str, Subject]:
    """By name; nobody may change it."""
    declared = declare(program, project="sonarstack", stack="night")
    return {one.name: planting.subject_of(one) for one in declared}
