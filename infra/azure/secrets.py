"""A value that only the training machine can read, in a vault of its own that goes with the stack."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.locked_vault import locked_vault

SECRET = "job"  # noqa: S105 a name


@dataclass(frozen=True, kw_only=True, slots=True)
class StackSecretArgs:
    """What a `StackSecret` is made from."""

    tenant_id: str
    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    vault_name: str
    """Of `infra.azure.vaults`; a vault that stands keeps its own."""
    value: pulumi.Input[str]
    """Kept as a secret in the state."""
    subnet_id: pulumi.Input[str] | None
    """The machine's, which comes in by its service endpoint; None where it comes by a private one."""
    tags: Mapping[str, pulumi.Input[str]]


class StackSecret(pulumi.ComponentResource):
    """Vault and secret, written through the management plane: whoever deploys needs no way into the vault.

    Nobody may read the value but by a role on just this secret (`MachineIdentity`).
    """

    def __init__(self, name: str, args: StackSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:StackSecret", name, None, opts)
        vault = azure.keyvault.Vault(
            f"{name}-vault",
            vault_name=args.vault_name,
            resource_group_name=args.group,
            location=args.location,
            properties=locked_vault(args.tenant_id, args.subnet_id),
            tags=args.tags,
            # The suffix is new at every look.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["vaultName"]),
        )
        secret = azure.keyvault.Secret(
            f"{name}-secret",
            secret_name=SECRET,
            vault_name=vault.name,
            resource_group_name=args.group,
            properties=azure.keyvault.SecretPropertiesArgs(
                value=pulumi.Output.secret(args.value), content_type="application/json"
            ),
            tags=args.tags,
            # It goes with its vault: deleting it by itself would need a way into the vault.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.vault_id: pulumi.Output[str] = vault.id
        self.secret_id: pulumi.Output[str] = secret.id
        """Its ARM id, the place of a role."""
        vault_uri = vault.properties.apply(lambda of: str(of.vault_uri))
        self.secret_uri: pulumi.Output[str] = pulumi.Output.all(vault_uri, secret.id).apply(
            lambda of: f"{of[0]}secrets/{SECRET}"
        )
        """Its address for the program: always its newest version."""
        self.register_outputs({"secretId": self.secret_id, "secretUri": self.secret_uri})
