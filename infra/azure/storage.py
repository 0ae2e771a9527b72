"""The storage account that holds data and runs, and who reaches it from where."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.account_template import account_template
from infra.azure.names import DATA, RUNS
from infra.azure.roles import BLOB_CONTRIBUTOR, Grant, PrincipalType, assignment_name, grant
from infra.azure.taken_up import NOTHING, taken_up

OLD_VERSIONS_DAYS = 14
"""How long what was overwritten or deleted can be had back; checkpoints that a run replaced cost until then.

What an upload did not finish goes by itself after a week.
"""
ACCOUNT_FIELDS = (
    "accessTier", "allowBlobPublicAccess", "allowCrossTenantReplication", "allowSharedKeyAccess", "allowedCopyScope",
    "azureFilesIdentityBasedAuthentication", "customDomain", "defaultToOAuthAuthentication", "dnsEndpointType",
    "enableExtendedGroups", "enableHttpsTrafficOnly", "enableNfsV3", "encryption", "extendedLocation", "identity",
    "immutableStorageWithVersioning", "isHnsEnabled", "isLocalUserEnabled", "isSftpEnabled", "keyPolicy", "kind",
    "largeFileSharesState", "location", "minimumTlsVersion", "networkRuleSet", "publicNetworkAccess",
    "routingPreference", "sasPolicy", "sku", "tags",
)  # fmt: skip
"""All that Azure answers of an account and takes as an input."""
CONTAINER_FIELDS = (
    "defaultEncryptionScope", "denyEncryptionScopeOverride", "enableNfsV3AllSquash", "enableNfsV3RootSquash",
    "immutableStorageWithVersioning", "metadata", "publicAccess",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStorageArgs:
    """What a `RunStorage` is made from."""

    subscription_id: str
    group: pulumi.Input[str]
    """Name of the resource group."""
    group_id: str
    location: str
    account_name: str
    subnet_id: pulumi.Input[str] | None
    """The machine's, which comes in by its service endpoint; None where it comes by a private one."""
    caller_address: str
    """IPv4 address, or a block, from where data goes up and runs come home."""
    caller_id: str
    """Object id of whoever deploys: without shared keys an owner, too, reads and writes by a role only."""
    caller_type: PrincipalType
    identity_id: pulumi.Input[str]
    """Of the `Key`: who may encrypt by it, and by then has the right to."""
    vault_uri: pulumi.Input[str]
    key_name: pulumi.Input[str]
    keep: bool
    """Whether destroying the stack leaves it, with all it holds and all that protects it; else it goes with both."""
    tags: Mapping[str, pulumi.Input[str]]
    there: AbstractSet[str] = NOTHING
    """Ids, in small letters, of what an earlier stack left (`infra.azure.kept`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageIds:
    """ARM ids of what is kept of a `RunStorage`."""

    account: str
    data: str
    runs: str
    policy: str


def storage_ids(group_id: str, account_name: str) -> StorageIds:
    """Ids that are known before any of it exists."""
    account = f"{group_id}/providers/Microsoft.Storage/storageAccounts/{account_name}"
    containers = f"{account}/blobServices/default/containers"
    return StorageIds(
        account=account,
        data=f"{containers}/{DATA}",
        runs=f"{containers}/{RUNS}",
        policy=f"{account}/managementPolicies/default",
    )


class RunStorage(pulumi.ComponentResource):
    """Private, versioned, encrypted twice and by the stack's key, by TLS and by roles only."""

    def __init__(self, name: str, args: RunStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:RunStorage", name, None, opts)
        self._name, self._args = name, args
        # An account that stays keeps its locks: they are retained with it.
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        self._ids = storage_ids(args.group_id, args.account_name)
        account = self._account()
        first: list[pulumi.CustomResource] = [account]
        if self._ids.account.lower() in args.there:
            # An account that was taken up is as it was: this lets in the network of today, and the caller's address.
            first.append(self._again(account))
        versions = self._versions(account)
        data, runs = (
            self._container(DATA, self._ids.data, account),
            self._container(RUNS, self._ids.runs, account),
        )
        rights = [self._right(DATA, data), self._right(RUNS, runs)]
        self.ready: list[pulumi.CustomResource] = [*first, versions, data, runs, *rights]
        """What must be there before anybody writes."""
        # Who writes into it waits until it is locked, keeps versions, and knows the writer.
        made = pulumi.Output.all(account.name, *(one.id for one in self.ready))
        self.account_name: pulumi.Output[str] = made.apply(lambda of: str(of[0]))
        self.account_id: pulumi.Output[str] = account.id
        self.data_id: pulumi.Output[str] = data.id
        self.runs_id: pulumi.Output[str] = runs.id
        self.register_outputs({"accountName": self.account_name})

    def _account(self) -> azure.storage.StorageAccount:
        args = self._args
        return azure.storage.StorageAccount(
            f"{self._name}-account",
            account_name=args.account_name,
            resource_group_name=args.group,
            location=args.location,
            kind="StorageV2",
            sku=azure.storage.SkuArgs(name="Standard_LRS"),
            access_tier=azure.storage.AccessTier.HOT,
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            allowed_copy_scope="AAD",
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            is_local_user_enabled=False,
            minimum_tls_version="TLS1_2",
            # The caller comes from outside: the rules, not this, keep all others out.
            public_network_access="Enabled",
            network_rule_set=_network(args),
            encryption=_encryption(args),
            identity=azure.storage.IdentityArgs(
                type="UserAssigned", user_assigned_identities=[args.identity_id]
            ),
            tags=args.tags,
            opts=self._taken_up(self._ids.account, *ACCOUNT_FIELDS),
        )

    def _again(self, account: azure.storage.StorageAccount) -> azure.resources.Deployment:
        args = self._args
        template = pulumi.Output.all(
            subnet_id=args.subnet_id,
            identity_id=args.identity_id,
            vault_uri=args.vault_uri,
            key_name=args.key_name,
        ).apply(
            lambda known: account_template(
                account_name=args.account_name,
                location=args.location,
                addresses=list(callers(args.caller_address)),
                **known,
            )
        )
        return azure.resources.Deployment(
            f"{self._name}-again",
            deployment_name=f"{args.account_name}-again",
            resource_group_name=args.group,
            properties=azure.resources.DeploymentPropertiesArgs(
                mode=azure.resources.DeploymentMode.INCREMENTAL, template=template
            ),
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )

    def _versions(self, account: azure.storage.StorageAccount) -> azure.storage.BlobServiceProperties:
        days = azure.storage.DeleteRetentionPolicyArgs(enabled=True, days=OLD_VERSIONS_DAYS)
        service = azure.storage.BlobServiceProperties(
            f"{self._name}-versions",
            account_name=account.name,
            resource_group_name=self._args.group,
            blob_services_name="default",
            is_versioning_enabled=True,
            delete_retention_policy=days,
            container_delete_retention_policy=days,
            # Every account has it from the start: it is set, never made or taken up.
            opts=self._kept,
        )
        azure.storage.ManagementPolicy(
            f"{self._name}-lifecycle",
            account_name=account.name,
            resource_group_name=self._args.group,
            management_policy_name="default",
            policy=azure.storage.ManagementPolicySchemaArgs(rules=[_tidy()]),
            opts=pulumi.ResourceOptions.merge(
                self._taken_up(self._ids.policy, "policy"), pulumi.ResourceOptions(depends_on=[service])
            ),
        )
        return service

    def _container(
        self, what: str, identifier: str, account: azure.storage.StorageAccount
    ) -> azure.storage.BlobContainer:
        return azure.storage.BlobContainer(
            f"{self._name}-{what}",
            container_name=what,
            account_name=account.name,
            resource_group_name=self._args.group,
            public_access=azure.storage.PublicAccess.NONE,
            opts=self._taken_up(identifier, *CONTAINER_FIELDS),
        )

    def _right(self, what: str, container: azure.storage.BlobContainer) -> azure.authorization.RoleAssignment:
        """The caller's; it goes with the stack, also where the account stays."""
        args = self._args
        return grant(
            f"{self._name}-caller-{what}",
            Grant(
                role=BLOB_CONTRIBUTOR,
                principal_id=args.caller_id,
                scope=container.id,
                principal_type=args.caller_type,
            ),
            assignment=assignment_name(args.group_id, args.caller_id, what),
            subscription_id=args.subscription_id,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _taken_up(self, identifier: str, *as_it_is: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._kept, taken_up(identifier, self._args.there, *as_it_is))


def callers(address: str) -> Sequence[str]:
    """As storage's firewall takes them: a single address has no /32 (storage network security, IP rules)."""
    return [address.removesuffix("/32")]


def _network(args: RunStorageArgs) -> azure.storage.NetworkRuleSetArgs:
    subnets = [] if args.subnet_id is None else [args.subnet_id]
    return azure.storage.NetworkRuleSetArgs(
        default_action=azure.storage.DefaultAction.DENY,
        # Not even Azure's own services: none has business here.
        bypass="None",
        ip_rules=[
            azure.storage.IPRuleArgs(i_p_address_or_range=address, action=azure.storage.Action.ALLOW)
            for address in callers(args.caller_address)
        ],
        virtual_network_rules=[
            azure.storage.VirtualNetworkRuleArgs(
                virtual_network_resource_id=subnet, action=azure.storage.Action.ALLOW
            )
            for subnet in subnets
        ],
    )


def _encryption(args: RunStorageArgs) -> azure.storage.EncryptionArgs:
    service = azure.storage.EncryptionServiceArgs(enabled=True, key_type="Account")
    return azure.storage.EncryptionArgs(
        # A second time, by keys of Azure's own; it can only be had from the start.
        require_infrastructure_encryption=True,
        key_source="Microsoft.Keyvault",
        # Without a version: storage follows the key's rotation.
        key_vault_properties=azure.storage.KeyVaultPropertiesArgs(
            key_name=args.key_name, key_vault_uri=args.vault_uri
        ),
        encryption_identity=azure.storage.EncryptionIdentityArgs(
            encryption_user_assigned_identity=args.identity_id
        ),
        services=azure.storage.EncryptionServicesArgs(blob=service, file=service),
    )


def _tidy() -> azure.storage.ManagementPolicyRuleArgs:
    old = azure.storage.DateAfterCreationArgs(days_after_creation_greater_than=OLD_VERSIONS_DAYS)
    return azure.storage.ManagementPolicyRuleArgs(
        name="old-versions",
        type="Lifecycle",
        enabled=True,
        definition=azure.storage.ManagementPolicyDefinitionArgs(
            actions=azure.storage.ManagementPolicyActionArgs(
                version=azure.storage.ManagementPolicyVersionArgs(delete=old)
            ),
            filters=azure.storage.ManagementPolicyFilterArgs(blob_types=["blockBlob", "appendBlob"]),
        ),
    )
