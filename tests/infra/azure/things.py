"""Parts of the Azure target, each declared alone under Pulumi's mocks."""

from collections.abc import Callable
from dataclasses import replace

from infra.azure.bastion import Bastion, BastionArgs
from infra.azure.doors import Doors, DoorsArgs
from infra.azure.end_right import end_role_id
from infra.azure.group import Group, GroupArgs
from infra.azure.identity import MachineIdentity, MachineIdentityArgs
from infra.azure.image import PushedImage, PushedImageArgs
from infra.azure.keys import Key, KeyArgs
from infra.azure.names import group_id, group_name, part_id
from infra.azure.network import Network, NetworkArgs
from infra.azure.registry import ImageRegistry, ImageRegistryArgs
from infra.azure.secrets import StackSecret, StackSecretArgs
from infra.azure.storage import RunStorage, RunStorageArgs, storage_ids
from infra.azure.vaults import vault_name
from stacks.mock_azure import SUBSCRIPTION, TENANT
from tests.infra.azure.guard_things import GUARD_COMPONENTS
from tests.infra.declared import Components

STAMP, LOCATION = "sonarstack-night-abc123", "eastus"
TAGS = {"sonarstack:stamp": STAMP}
GROUP, GROUP_ID = group_name(STAMP), group_id(SUBSCRIPTION, STAMP)
ACCOUNT, CALLER, ADDRESS = "nightaccount", "33333333-3333-3333-3333-333333333333", "203.0.113.9"
KEYS, SECRETS = (vault_name(kind, SUBSCRIPTION, STAMP, "x") for kind in ("keys", "secrets"))
SUBNET = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/{STAMP}-network/subnets/machines"
IDENTITY = part_id(
    SUBSCRIPTION, STAMP, "Microsoft.ManagedIdentity/userAssignedIdentities", f"{STAMP}-encryption"
)
VAULT = part_id(SUBSCRIPTION, STAMP, "Microsoft.KeyVault/vaults", SECRETS)
SECRET_ID = f"{VAULT}/secrets/job"
REGISTRY = part_id(SUBSCRIPTION, STAMP, "Microsoft.ContainerRegistry/registries", "nightimages")
RULE = part_id(SUBSCRIPTION, STAMP, "Microsoft.Insights/dataCollectionRules", "night")
END_ROLE = end_role_id(SUBSCRIPTION, STAMP)
STORAGE_IDS = storage_ids(GROUP_ID, ACCOUNT)

NETWORK = NetworkArgs(group=GROUP, location=LOCATION, stamp=STAMP, profile="cheap", tags=TAGS)
KEY = KeyArgs(
    subscription_id=SUBSCRIPTION,
    tenant_id=TENANT,
    group=GROUP,
    group_id=GROUP_ID,
    location=LOCATION,
    stamp=STAMP,
    vault_name=KEYS,
    keep=True,
    tags=TAGS,
)
STORAGE = RunStorageArgs(
    subscription_id=SUBSCRIPTION,
    group=GROUP,
    group_id=GROUP_ID,
    location=LOCATION,
    account_name=ACCOUNT,
    subnet_id=SUBNET,
    caller_address=ADDRESS,
    caller_id=CALLER,
    caller_type="User",
    identity_id=IDENTITY,
    vault_uri=f"https://{KEYS}.vault.azure.net/",
    key_name="storage",
    keep=True,
    tags=TAGS,
)
MACHINE = MachineIdentityArgs(
    subscription_id=SUBSCRIPTION,
    group=GROUP,
    group_id=GROUP_ID,
    location=LOCATION,
    stamp=STAMP,
    data_id=STORAGE_IDS.data,
    runs_id=STORAGE_IDS.runs,
    end_role_id=END_ROLE,
    tags=TAGS,
    secret_id=SECRET_ID,
    registry_id=REGISTRY,
    rule_ids={"logs": RULE},
)
SECRET = StackSecretArgs(
    tenant_id=TENANT,
    group=GROUP,
    location=LOCATION,
    vault_name=SECRETS,
    value="planted-value",
    subnet_id=SUBNET,
    tags=TAGS,
)
IMAGES = ImageRegistryArgs(
    group=GROUP,
    location=LOCATION,
    registry_name="nightimages",
    profile="cheap",
    caller_address=ADDRESS,
    tags=TAGS,
)
IMAGE = PushedImageArgs(
    subscription_id=SUBSCRIPTION,
    group_id=GROUP_ID,
    context="/project",
    tag="cafe",
    registry_id=REGISTRY,
    login_server="nightimages.azurecr.io",
    repository_url="nightimages.azurecr.io/training",
    caller_id=CALLER,
    caller_type="User",
    local_name="sonarstack-night",
    build_args={},
)
DOORS = DoorsArgs(
    group=GROUP,
    location=LOCATION,
    stamp=STAMP,
    network_id=SUBNET.rpartition("/subnets/")[0],
    subnet_id=SUBNET.replace("/machines", "/endpoints"),
    to={"storage": STORAGE_IDS.account, "vault": VAULT, "registry": REGISTRY},
    tags=TAGS,
)

COMPONENTS: dict[str, Callable[[], object]] = {
    "Group": lambda: Group(
        "it",
        GroupArgs(subscription_id=SUBSCRIPTION, location=LOCATION, stamp=STAMP, keep=True, tags=TAGS),
    ),
    "Network, cheap": lambda: Network("it", NETWORK),
    "Network, private": lambda: Network("it", replace(NETWORK, profile="private")),
    "Doors": lambda: Doors("it", DOORS),
    "Bastion": lambda: Bastion(
        "it",
        BastionArgs(
            group=GROUP,
            location=LOCATION,
            stamp=STAMP,
            network_name=f"{STAMP}-network",
            caller_address=ADDRESS,
            tags=TAGS,
            after=[],
        ),
    ),
    "Key": lambda: Key("it", KEY),
    "RunStorage": lambda: RunStorage("it", STORAGE),
    "MachineIdentity": lambda: MachineIdentity("it", MACHINE),
    "StackSecret": lambda: StackSecret("it", SECRET),
    "ImageRegistry, cheap": lambda: ImageRegistry("it", IMAGES),
    "ImageRegistry, private": lambda: ImageRegistry("it", replace(IMAGES, profile="private")),
    "PushedImage": lambda: PushedImage("it", IMAGE),
    **GUARD_COMPONENTS,
}

component = Components(COMPONENTS)
"""What the component of `COMPONENTS` declares, by name."""
