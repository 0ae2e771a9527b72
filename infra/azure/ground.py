"""What stands before a machine and outlives it: group, key, storage, network, logs, rights, secret and image."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.azure.doors import Doors, DoorsArgs, Kind
from infra.azure.end_right import EndRight, EndRightArgs
from infra.azure.group import Group, GroupArgs
from infra.azure.identity import MachineIdentity, MachineIdentityArgs
from infra.azure.image import PushedImage, PushedImageArgs
from infra.azure.keys import Key, KeyArgs
from infra.azure.logs import Logs, LogsArgs
from infra.azure.network import Network, NetworkArgs
from infra.azure.network_prices import Profile
from infra.azure.places import Places
from infra.azure.preflight import Account
from infra.azure.registry import ImageRegistry, ImageRegistryArgs
from infra.azure.secrets import StackSecret, StackSecretArgs
from infra.azure.storage import RunStorage, RunStorageArgs
from infra.azure.vaults import Kind as VaultKind
from infra.azure.vaults import standing_vault, vault_name
from infra.naming import resource_name, tags


@dataclass(frozen=True, kw_only=True, slots=True)
class GroundArgs:
    """What a `Ground` is made from."""

    account: Account
    places: Places
    vault_suffix: str
    """Of the names of vaults that are not there yet."""
    network: Profile
    bastion: bool
    """Whether one may come in."""
    project: str
    """Absolute folder of the project here."""
    image: str | None
    """Somebody's own; None builds and pushes the stack's."""
    build_args: Mapping[str, str]
    keep_bucket: bool
    log_days: int
    log_gb_per_day: float
    email: str | None
    """Who is told of errors."""
    secrets: pulumi.Input[str] | None
    """JSON of names and values that the program reads from the cloud's store; None for none."""


class Ground(pulumi.ComponentResource):
    """All but data, lease and machine; its parts are for whoever puts a machine on it."""

    def __init__(self, name: str, args: GroundArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Ground", name, None, opts)
        self._name, self._args, self._places = name, args, args.places
        self._account, self._location = args.account, args.places.location
        self._there = args.account.kept.ids if args.account.kept is not None else frozenset()
        self._marks = tags("azure", stamp=self._places.stamp, lease_until=None)
        self._child = pulumi.ResourceOptions(parent=self)
        self.group = Group(
            f"{name}-group",
            GroupArgs(
                subscription_id=self._places.subscription_id, location=self._location, stamp=self._places.stamp,
                keep=args.keep_bucket, tags=self._marks, there=self._there,
            ),
            self._child,
        ).group_name  # fmt: skip
        self._group = self.group
        self.key = self._key()
        self.network = self._network()
        self.storage = self._storage(self.key, self.network)
        self.logs = self._logs()
        self.end = self._end_right()
        self.secret = self._secret(self.network)
        registry = self._registry()
        doors = self._doors(self.network, self.storage, self.secret, registry)
        self.identity = self._identity(self.storage, self.secret, registry, self.logs, self.end)
        self.image = self._image(registry)
        self.ready: list[pulumi.Resource] = [
            self.logs, *self.storage.ready, *self.network.ready, *doors, *self.identity.ready,
        ]  # fmt: skip
        """What a machine must find. A component's own `depends_on` does not reach what it is made of."""
        self.register_outputs({"group": self.group})

    def _vault(self, kind: VaultKind) -> str:
        return standing_vault(kind, self._there) or vault_name(
            kind, self._places.subscription_id, self._places.stamp, self._args.vault_suffix
        )

    def _key(self) -> Key:
        return Key(
            f"{self._name}-key",
            KeyArgs(
                subscription_id=self._places.subscription_id,
                tenant_id=self._account.tenant_id,
                group=self._group,
                group_id=self._places.group_id,
                location=self._location,
                stamp=self._places.stamp,
                vault_name=self._vault("keys"),
                keep=self._args.keep_bucket,
                tags=self._marks,
                there=self._there,
            ),
            self._child,
        )

    def _network(self) -> Network:
        args = self._args
        return Network(
            f"{self._name}-network",
            NetworkArgs(
                group=self._group,
                location=self._location,
                stamp=self._places.stamp,
                profile=args.network,
                tags=self._marks,
                bastion=args.bastion,
                # An image, or whoever is written to, of the user's own lies where he says.
                outside=args.secrets is not None
                or (args.image is not None and ".azurecr.io/" not in args.image),
            ),
            self._child,
        )

    def _machines_subnet(self, network: Network) -> pulumi.Input[str] | None:
        """For whom the machine comes in by its service endpoint."""
        return network.subnet_id if self._args.network == "cheap" else None

    def _storage(self, key: Key, network: Network) -> RunStorage:
        return RunStorage(
            f"{self._name}-storage",
            RunStorageArgs(
                subscription_id=self._places.subscription_id,
                group=self._group,
                group_id=self._places.group_id,
                location=self._location,
                account_name=self._places.storage_account,
                subnet_id=self._machines_subnet(network),
                caller_address=self._account.caller_address,
                caller_id=self._account.object_id,
                caller_type=self._account.principal_type,
                identity_id=key.identity_id,
                vault_uri=key.vault_uri,
                key_name=key.key_name,
                keep=self._args.keep_bucket,
                tags=self._marks,
                there=self._there,
            ),
            self._child,
        )

    def _logs(self) -> Logs:
        args = self._args
        return Logs(
            f"{self._name}-logs",
            LogsArgs(
                group=self._group,
                location=self._location,
                stamp=self._places.stamp,
                retention_days=args.log_days,
                daily_gb=args.log_gb_per_day,
                tags=self._marks,
                email=args.email,
            ),
            self._child,
        )

    def _end_right(self) -> EndRight:
        return EndRight(
            f"{self._name}-end",
            EndRightArgs(
                subscription_id=self._places.subscription_id,
                group=self._group,
                # Known before, and there only once the group is.
                group_id=self._group.apply(lambda _: self._places.group_id),
                location=self._location,
                stamp=self._places.stamp,
                tags=self._marks,
            ),
            self._child,
        )

    def _secret(self, network: Network) -> StackSecret | None:
        if self._args.secrets is None:
            return None
        return StackSecret(
            f"{self._name}-secret",
            StackSecretArgs(
                tenant_id=self._account.tenant_id,
                group=self._group,
                location=self._location,
                vault_name=self._vault("secrets"),
                value=self._args.secrets,
                subnet_id=self._machines_subnet(network),
                tags=self._marks,
            ),
            self._child,
        )

    def _registry(self) -> ImageRegistry | None:
        if self._args.image is not None:
            return None
        return ImageRegistry(
            f"{self._name}-images",
            ImageRegistryArgs(
                group=self._group,
                location=self._location,
                registry_name=self._places.registry,
                profile=self._args.network,
                caller_address=self._account.caller_address,
                tags=self._marks,
            ),
            self._child,
        )

    def _doors(
        self,
        network: Network,
        storage: RunStorage,
        secret: StackSecret | None,
        registry: ImageRegistry | None,
    ) -> list[pulumi.Resource]:
        if network.endpoint_subnet_id is None:
            return []
        to: dict[Kind, pulumi.Input[str]] = {
            "storage": storage.account_id,
            **({} if secret is None else {"vault": secret.vault_id}),
            **({} if registry is None else {"registry": registry.registry_id}),
        }
        return Doors(
            f"{self._name}-doors",
            DoorsArgs(
                group=self._group, location=self._location, stamp=self._places.stamp,
                network_id=network.network_id, subnet_id=network.endpoint_subnet_id, to=to, tags=self._marks,
            ),
            self._child,
        ).ready  # fmt: skip

    def _identity(
        self,
        storage: RunStorage,
        secret: StackSecret | None,
        registry: ImageRegistry | None,
        logs: Logs,
        end: EndRight,
    ) -> MachineIdentity:
        return MachineIdentity(
            f"{self._name}-identity",
            MachineIdentityArgs(
                subscription_id=self._places.subscription_id,
                group=self._group,
                group_id=self._places.group_id,
                location=self._location,
                stamp=self._places.stamp,
                data_id=storage.data_id,
                runs_id=storage.runs_id,
                end_role_id=end.role_definition_id,
                tags=self._marks,
                secret_id=None if secret is None else secret.secret_id,
                registry_id=None if registry is None else registry.registry_id,
                rule_ids={"logs": logs.rule_id},
            ),
            self._child,
        )

    def _image(self, registry: ImageRegistry | None) -> pulumi.Input[str]:
        args = self._args
        if registry is None:
            assert args.image is not None
            return args.image
        return PushedImage(
            f"{self._name}-image",
            PushedImageArgs(
                subscription_id=self._places.subscription_id,
                group_id=self._places.group_id,
                context=args.project,
                tag=self._places.job_digest,
                registry_id=registry.registry_id,
                login_server=registry.login_server,
                repository_url=registry.repository_url,
                caller_id=self._account.object_id,
                caller_type=self._account.principal_type,
                local_name=resource_name("docker", "sonarstack", self._places.stack),
                build_args=args.build_args,
            ),
            self._child,
        ).reference
