"""What is asked of the account before anything is made: who we are, what may run where, and what is there already."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.azure.kept import KeptParts
from infra.azure.sizes import Size

ASSUMED_ID = "00000000-0000-0000-0000-000000000000"
ASSUMED_ADDRESS = "203.0.113.7"
"""Of the block for documentation (RFC 5737)."""
ASSUMED_IMAGE = "22.04.2026082801"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The subscription as a stack needs it."""

    subscription_id: str
    tenant_id: str
    object_id: str
    """Who we are, as role assignments know us."""
    principal_type: str
    """User or ServicePrincipal, likewise."""
    caller_address: str
    """From where the storage is reached: an IPv4 address, or a block of them."""
    size: Size
    """The first of the wanted ones that may run and is within the price; of a machine that is there, its own."""
    host_encryption: bool
    """Whether the subscription has encryption at host, and the size can."""
    image_version: str
    """Of the HPC image: the newest, or what the machine that is there has."""
    attempt: int = 0
    """See `Places.attempt`."""
    kept: KeptParts | None = None
    """The group, where it is there already."""
    notes: tuple[str, ...] = ()
    """What to know, one line each."""


def assumed_account(location: str, sizes: Sequence[Size]) -> Account:
    """For a look without an account: the first size may run, and nothing is there."""
    return Account(
        subscription_id=ASSUMED_ID,
        tenant_id=ASSUMED_ID,
        object_id=ASSUMED_ID,
        principal_type="User",
        caller_address=ASSUMED_ADDRESS,
        size=sizes[0],
        host_encryption=True,
        image_version=ASSUMED_IMAGE,
        notes=(f"no account was asked: {sizes[0].name} is assumed to be had in {location}",),
    )
