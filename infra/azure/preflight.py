"""What is asked of the account before anything is made: who we are, what may run where, and what is there already."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.azure.account import who_am_i
from infra.azure.arm import Arm
from infra.azure.caller_address import caller_address
from infra.azure.errors import AzureError
from infra.azure.kept import KeptParts, kept_parts
from infra.azure.names import group_name
from infra.azure.offers import Offer, offers_in, prices_now, within
from infra.azure.owned import MachineState
from infra.azure.quota import check_quota
from infra.azure.roles import PrincipalType
from infra.azure.sizes import SIZES, Market, Size
from infra.azure.subscription import (
    HOST_ENCRYPTION_ADVICE,
    has_host_encryption,
    newest_image,
    require_providers,
)
from infra.azure.tries import Job, find_try
from infra.errors import PriceError
from infra.prices import read_prices

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
    principal_type: PrincipalType
    """Likewise."""
    caller_address: str
    """From where the storage is reached: an IPv4 address, or a block of them."""
    size: Size
    """The first of the wanted ones that may run and is within the price; of a machine that is there, its own."""
    host_encryption: bool
    """Whether the subscription has encryption at host, and the size can."""
    trusted_launch: bool
    """Whether the size can: a measured start and a virtual TPM."""
    image_version: str
    """Of the HPC image: the newest, or what the machine that is there has."""
    attempt: int = 0
    """See `Places.attempt`."""
    over: bool = False
    """Whether the job is: its machine has ended itself, and a change to it would make it anew."""
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
        trusted_launch=True,
        image_version=ASSUMED_IMAGE,
        notes=(f"no account was asked: {sizes[0].name} is assumed to be had in {location}",),
    )


def look_at_account(
    location: str,
    sizes: Sequence[Size],
    job: Job,
    *,
    subscription: str | None,
    market: Market,
    max_usd_per_h: float,
    address: str | None = None,
) -> Account:
    """Ask; every answer that forbids the machine is one line, before anything is made.

    Args:
        job: whose machine it is to be.
        subscription: sonarstack:subscription.
        address: ours, where it is set.

    Raises:
        InfraError: no log-in, no quota, no such size there, or no price below the ceiling.
    """
    with Arm() as arm:
        me = who_am_i(arm, subscription)
        require_providers(arm, me.subscription_id)
        kept = _kept(arm, me.subscription_id, job.stamp, location)
        found = find_try(arm, me.subscription_id, location, job, kept)
        offer, told = _offer(arm, me.subscription_id, location, sizes, market, max_usd_per_h, found.machine)
        feature = has_host_encryption(arm, me.subscription_id)
        version = found.machine.image_version if found.machine else ""
        notes = [*found.notes, *told]
        if not feature:
            notes.append(HOST_ENCRYPTION_ADVICE)
        elif not offer.host_encryption:
            notes.append(
                f"{offer.size.name} cannot be encrypted at its host; its temporary disk has Azure's own encryption"
            )
        return Account(
            subscription_id=me.subscription_id,
            tenant_id=me.tenant_id,
            object_id=me.object_id,
            principal_type=me.principal_type,
            caller_address=caller_address(address),
            size=offer.size,
            host_encryption=feature and offer.host_encryption,
            trusted_launch=offer.trusted_launch,
            image_version=version or newest_image(arm, me.subscription_id, location),
            attempt=found.attempt,
            over=found.over and found.machine is None,
            kept=kept,
            notes=tuple(notes),
        )


def _kept(arm: Arm, subscription_id: str, stamp: str, location: str) -> KeptParts | None:
    kept = kept_parts(arm, subscription_id, stamp)
    if kept is not None and kept.location != location:
        raise AzureError(
            f"resource group {group_name(stamp)} is in {kept.location} already, and sonarstack:location is {location}; "
            f"set it to {kept.location}, or fetch the run and remove the group"
        )
    return kept


def _offer(
    arm: Arm,
    subscription_id: str,
    location: str,
    sizes: Sequence[Size],
    market: Market,
    max_usd_per_h: float,
    machine: MachineState | None,
) -> tuple[Offer, list[str]]:
    """What to rent, and notes. A machine that is there keeps its size: it uses up the quota itself."""
    here = SIZES.get(machine.size) if machine is not None else None
    if here is not None and here in sizes:
        (offer,) = offers_in(arm, subscription_id, location, [here], "on_demand")
        return offer, []
    offers = {one.size.name: one for one in offers_in(arm, subscription_id, location, sizes, market)}
    families = {name: one.family for name, one in offers.items()}
    sold = [one.size for one in offers.values()]
    checked = check_quota(arm, subscription_id, location, sold, market, families=families)
    prices, notes = _prices(location, checked.fit, market, max_usd_per_h)
    size = next(one for one in checked.fit if one.name in prices)
    usd = prices[size.name]
    if usd is not None:
        notes.append(
            f"{market.replace('_', '-')} now: {size.name} at ${usd:g} an hour; your limit is ${max_usd_per_h:g}"
        )
    return offers[size.name], [*checked.notes, *notes]


def _prices(
    location: str, sizes: Sequence[Size], market: Market, max_usd_per_h: float
) -> tuple[dict[str, float | None], list[str]]:
    """By the price list of this hour; where that does not answer, by the dated table, and spot by Azure's own limit."""
    try:
        return within(prices_now(location, sizes), sizes, market, max_usd_per_h), []
    except PriceError as error:
        table = [one for one in read_prices() if (one.provider, one.region) == ("azure", location)]
        return within(table, sizes, market, max_usd_per_h), [
            f"{error}; the prices at hand count, which may be old"
        ]
