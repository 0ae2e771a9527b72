"""The stack's own key, by which its storage and its disks are encrypted, in a vault that nobody else can reach."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.locked_vault import locked_vault
from infra.azure.roles import KEY_ENCRYPTION_USER, Grant, assignment_id, assignment_name, grant
from infra.azure.taken_up import NOTHING, taken_up

KEY, KEY_BITS = "storage", 3072
ROTATION = "P1Y"
VAULT_FIELDS = ("location", "properties", "tags", "vaultName")
KEY_FIELDS = ("properties", "tags", "keyName", "vaultName")
GRANT_FIELDS = (
    "condition",
    "conditionVersion",
    "delegatedManagedIdentityResourceId",
    "description",
    "principalType",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyArgs:
    """What a `Key` is made from."""

    subscription_id: str
    tenant_id: str
    group: pulumi.Input[str]
    """Name of the resource group."""
    group_id: str
    location: str
    stamp: str
    vault_name: str
    """Of `infra.azure.vaults`; a vault that stands keeps its own."""
    keep: bool
    """Whether it outlives the stack, as it must where the storage does: what it encrypted would be lost with it."""
    tags: Mapping[str, pulumi.Input[str]]
    there: AbstractSet[str] = NOTHING
    """Ids, in small letters, of what an earlier stack left (`infra.azure.kept`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyIds:
    """ARM ids of what is kept of a `Key`."""

    vault: str
    key: str
    identity: str
    right: str


def key_ids(group_id: str, stamp: str, vault_name: str) -> KeyIds:
    """Ids that are known before any of it exists."""
    vault = f"{group_id}/providers/Microsoft.KeyVault/vaults/{vault_name}"
    key = f"{vault}/keys/{KEY}"
    return KeyIds(
        vault=vault,
        key=key,
        identity=f"{group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{stamp}-encryption",
        right=assignment_id(key, assignment_name(group_id, "encryption", "key")),
    )


class Key(pulumi.ComponentResource):
    """An RSA key that rotates every year, the identity that may encrypt by it, and the disks' encryption set.

    The vault is closed to every network: storage and disks use the key as services that Azure trusts, and the key is
    made through the management plane.
    """

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Key", name, None, opts)
        self._name, self._args = name, args
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        self._ids = key_ids(args.group_id, args.stamp, args.vault_name)
        vault = self._vault()
        key = self._key(vault)
        identity = azure.managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=f"{args.stamp}-encryption",
            resource_group_name=args.group,
            location=args.location,
            tags=args.tags,
            opts=self._taken_up(self._ids.identity, "location", "tags", "isolationScope"),
        )
        right = grant(
            f"{name}-right",
            Grant(role=KEY_ENCRYPTION_USER, principal_id=identity.principal_id, scope=key.id),
            assignment=assignment_name(args.group_id, "encryption", "key"),
            subscription_id=args.subscription_id,
            opts=self._taken_up(self._ids.right, *GRANT_FIELDS),
        )
        disks = self._disks(vault, key, identity, right)
        # Nothing can be encrypted before the identity has its right: who takes the identity waits for that.
        self.identity_id: pulumi.Output[str] = pulumi.Output.all(identity.id, right.id).apply(
            lambda of: str(of[0])
        )
        self.vault_uri: pulumi.Output[str] = vault.properties.apply(lambda of: str(of.vault_uri))
        self.key_name: pulumi.Output[str] = key.name
        self.disk_encryption_set_id: pulumi.Output[str] = disks.id
        self.register_outputs({"identityId": self.identity_id, "diskEncryptionSetId": disks.id})

    def _taken_up(self, identifier: str, *as_it_is: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._kept, taken_up(identifier, self._args.there, *as_it_is))

    def _vault(self) -> azure.keyvault.Vault:
        args = self._args
        options = self._taken_up(self._ids.vault, *VAULT_FIELDS)
        return azure.keyvault.Vault(
            f"{self._name}-vault",
            vault_name=args.vault_name,
            resource_group_name=args.group,
            location=args.location,
            properties=locked_vault(args.tenant_id),
            tags=args.tags,
            # The suffix is new at every look.
            opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(ignore_changes=["vaultName"])),
        )

    def _key(self, vault: azure.keyvault.Vault) -> azure.keyvault.Key:
        args = self._args
        rotation = azure.keyvault.LifetimeActionArgs(
            action=azure.keyvault.ActionArgs(type=azure.keyvault.KeyRotationPolicyActionType.ROTATE),
            trigger=azure.keyvault.TriggerArgs(time_after_create=ROTATION),
        )
        return azure.keyvault.Key(
            f"{self._name}-key",
            key_name=KEY,
            vault_name=vault.name,
            resource_group_name=args.group,
            properties=azure.keyvault.KeyPropertiesArgs(
                kty="RSA",
                key_size=KEY_BITS,
                key_ops=["wrapKey", "unwrapKey"],
                rotation_policy=azure.keyvault.RotationPolicyArgs(lifetime_actions=[rotation]),
            ),
            tags=args.tags,
            # It goes with its vault: deleting it by itself would need a way into the vault, which nobody has.
            opts=pulumi.ResourceOptions.merge(
                self._taken_up(self._ids.key, *KEY_FIELDS), pulumi.ResourceOptions(retain_on_delete=True)
            ),
        )

    def _disks(
        self,
        vault: azure.keyvault.Vault,
        key: azure.keyvault.Key,
        identity: azure.managedidentity.UserAssignedIdentity,
        right: azure.authorization.RoleAssignment,
    ) -> azure.compute.DiskEncryptionSet:
        args = self._args
        return azure.compute.DiskEncryptionSet(
            f"{self._name}-disks",
            disk_encryption_set_name=f"{args.stamp}-disks",
            resource_group_name=args.group,
            location=args.location,
            encryption_type="EncryptionAtRestWithCustomerKey",
            active_key=azure.compute.KeyForDiskEncryptionSetArgs(
                key_url=key.key_uri_with_version, source_vault=azure.compute.SourceVaultArgs(id=vault.id)
            ),
            rotation_to_latest_key_version_enabled=True,
            identity=azure.compute.EncryptionSetIdentityArgs(
                type="UserAssigned", user_assigned_identities=[identity.id]
            ),
            tags=args.tags,
            # After a rotation Azure has a newer version than the one it was made with.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[right], ignore_changes=["activeKey"]),
        )
