"""The rules of Azure: the same seven mistakes as everywhere, each stopped by one."""

from stacks.policy.azure.containers import NO_PUBLIC_BUCKET
from stacks.policy.azure.ingress import NO_PUBLIC_INGRESS
from stacks.policy.azure.machines import LEASE_ON_MACHINES
from stacks.policy.azure.marks import STAMP_ON_EVERYTHING
from stacks.policy.azure.rights import NO_WILDCARD_RIGHTS
from stacks.policy.azure.storage import ENCRYPTED_STORAGE
from stacks.policy.azure.tokens import RIGHTS_BY_TOKEN

RULES = (
    ENCRYPTED_STORAGE,
    NO_PUBLIC_INGRESS,
    NO_PUBLIC_BUCKET,
    NO_WILDCARD_RIGHTS,
    STAMP_ON_EVERYTHING,
    LEASE_ON_MACHINES,
    RIGHTS_BY_TOKEN,
)
