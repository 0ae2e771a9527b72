"""The rules of AWS: seven mistakes, each stopped by one."""

from stacks.policy.aws.buckets import NO_PUBLIC_BUCKET
from stacks.policy.aws.ingress import NO_PUBLIC_INGRESS
from stacks.policy.aws.machines import LEASE_ON_MACHINES, RIGHTS_BY_TOKEN
from stacks.policy.aws.marks import STAMP_ON_EVERYTHING
from stacks.policy.aws.rights import NO_WILDCARD_RIGHTS
from stacks.policy.aws.storage import ENCRYPTED_STORAGE

RULES = (
    ENCRYPTED_STORAGE,
    NO_PUBLIC_INGRESS,
    NO_PUBLIC_BUCKET,
    NO_WILDCARD_RIGHTS,
    STAMP_ON_EVERYTHING,
    LEASE_ON_MACHINES,
    RIGHTS_BY_TOKEN,
)
