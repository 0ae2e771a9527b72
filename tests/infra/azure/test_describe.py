"""What plan says of each resource: true to the inputs, also where they are not as they should be."""

from typing import Any

import pytest

from infra.azure.describe import describe
from infra.azure.workflows import deadline_definition, idle_definition
from tests.infra.azure.guard_things import UNTIL

VM = "azure-native:compute:VirtualMachine"
MACHINE: dict[str, Any] = {
    "hardwareProfile": {"vmSize": "Standard_NC4as_T4_v3"},
    "priority": "Spot",
    "evictionPolicy": "Delete",
    "billingProfile": {"maxPrice": 0.4},
    "storageProfile": {
        "osDisk": {
            "diskSizeGB": 128.0,
            "deleteOption": "Delete",
            "managedDisk": {"storageAccountType": "Premium_LRS", "diskEncryptionSet": {"id": "set"}},
        }
    },
    "securityProfile": {
        "encryptionAtHost": True,
        "securityType": "TrustedLaunch",
        "uefiSettings": {"secureBootEnabled": False},
    },
    "osProfile": {"linuxConfiguration": {"disablePasswordAuthentication": True}},
    "networkProfile": {"networkInterfaceConfigurations": [{"ipConfigurations": [{"name": "private"}]}]},
}


def test_a_machine_as_it_should_be() -> None:
    assert describe(VM, MACHINE) == [
        "Standard_NC4as_T4_v3, spot, at most $0.4 an hour",
        "128 GiB Premium_LRS, encrypted by the stack's key",
        "deleting it deletes its disk",
        "encrypted on its host too",
        "virtual TPM, without Secure Boot: NVIDIA's modules are not signed",
        "SSH by key only",
        "no public address",
    ]


def test_a_machine_as_it_should_not_be() -> None:
    bad = {
        "hardwareProfile": {"vmSize": "Standard_NC4as_T4_v3"},
        "priority": "Spot",
        "evictionPolicy": "Deallocate",
        "billingProfile": {"maxPrice": -1.0},
        "storageProfile": {"osDisk": {"diskSizeGB": 64.0, "managedDisk": {"storageAccountType": "P"}}},
        "networkProfile": {
            "networkInterfaceConfigurations": [
                {"ipConfigurations": [{"publicIPAddressConfiguration": {"name": "mine"}}]}
            ]
        },
    }
    assert describe(VM, bad) == [
        "Standard_NC4as_T4_v3, spot, without a limit",
        "its disk stays and bills when it is taken away",
        "64 GiB P, by Azure's key only",
        "its disk stays",
        "passwords are taken",
        "has a public address",
    ]


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        (deadline_definition("/m", "/i", UNTIL), f"deletes the machine at {UNTIL}, then every 15 minutes"),
        (idle_definition("/m", "/i"), "deletes the machine when the alarm calls"),
        (
            {"triggers": {"t": {"type": "Recurrence", "recurrence": {"frequency": "Hour", "interval": 1.0}}}},
            "does NOT delete the machine AT ONCE, then every 1 hours",
        ),
    ],
)
def test_a_workflow_tells_what_it_does_and_when(definition: dict[str, Any], says: str) -> None:
    assert describe("azure-native:logic:Workflow", {"definition": definition}) == [
        f"{says}; under a cent a day"
    ]


def test_what_is_known_only_later_says_nothing_false() -> None:
    later = "[known only after up]"
    assert describe("azure-native:logic:Workflow", {"definition": later}) == [
        "deletes the machine at the lease's end, or when an alarm calls; under a cent a day"
    ]
    (told,) = describe("azure-native:devtestlab:GlobalSchedule", {"dailyRecurrence": {"time": later}})
    assert "half an hour after the lease" in told
    assert describe("azure-native:nobody:Knows", {}) == []


def test_what_is_open_or_not_encrypted_is_said() -> None:
    account = describe("azure-native:storage:StorageAccount", {"accountName": "x"})
    assert account == [
        "x",
        "NOT encrypted by the stack's key",
        "shared keys work",
        "may be made public",
        "old TLS is taken",
        "open to every network",
    ]
    container = {"containerName": "runs", "publicAccess": "Blob"}
    assert describe("azure-native:storage:BlobContainer", container) == ["runs, open to everybody"]
    assert describe("azure-native:keyvault:Vault", {"properties": {}}) == [
        "by access policies",
        "can be purged",
        "open to every network",
    ]
    workspace = describe("azure-native:operationalinsights:Workspace", {"retentionInDays": 30.0})
    assert "NO daily limit" in workspace
    assert "keys work" in workspace
    subnet = describe("azure-native:network:Subnet", {"addressPrefix": "10.0.0.0/24"})
    assert subnet == ["10.0.0.0/24", "Azure's default way out is open", "NO security group"]
    registry = {"adminUserEnabled": True, "anonymousPullEnabled": True, "sku": {"name": "Basic"}}
    assert describe("azure-native:containerregistry:Registry", registry) == [
        "Basic",
        "has a password of its own",
        "anybody may pull",
    ]


def test_a_security_group_tells_its_ways_and_what_stays_open() -> None:
    come_in = {
        "direction": "Inbound", "access": "Allow", "sourceAddressPrefix": "Internet", "destinationPortRange": "22",
    }  # fmt: skip
    assert describe("azure-native:network:NetworkSecurityGroup", {"securityRules": [come_in]}) == [
        "in from Internet 22",
        "in from Azure's defaults too: NOT closed",
        "nothing out",
        "out to Azure's defaults too: NOT closed",
    ]
    shut = [
        {"direction": way, "access": "Deny", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*"}
        for way in ("Inbound", "Outbound")
    ]
    assert describe("azure-native:network:NetworkSecurityGroup", {"securityRules": shut}) == [
        "nothing in",
        "nothing out",
    ]


def test_rights_name_the_role_and_the_place() -> None:
    right = {
        "roleDefinitionId": "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/"
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "scope": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a/blobServices/default"
        "/containers/data",
    }
    assert describe("azure-native:authorization:RoleAssignment", right) == ["reads blobs on containers/data"]
    role = {
        "permissions": [{"actions": ["Microsoft.Compute/virtualMachines/delete"]}],
        "assignableScopes": ["/subscriptions/s/resourceGroups/g"],
    }
    assert describe("azure-native:authorization:RoleDefinition", role) == [
        "may Microsoft.Compute/virtualMachines/delete in resourceGroups/g, and nothing else"
    ]
