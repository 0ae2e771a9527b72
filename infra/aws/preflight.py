"""What is asked of the account before anything is made: who we are, where the types are, whether they may run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.aws.account import client, who_am_i
from infra.aws.errors import NoOfferError, QuotaError
from infra.aws.kept import KeptBucket, kept_bucket
from infra.aws.names import bucket_name
from infra.aws.offers import spot_offers, within, zones_for_network, zones_of
from infra.aws.quota import check_quota
from infra.aws.service_roles import ensure_service_roles
from infra.aws.types import InstanceType, Market, dearest_on_demand, on_demand_price
from infra.prices import read_prices

ASSUMED_ACCOUNT = "000000000000"
ASSUMED_ZONES = "abc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The account as a stack needs it."""

    account_id: str
    readers: tuple[str, ...]
    """Who we are, as policies know us."""
    zones: tuple[str, ...]
    types: tuple[InstanceType, ...]
    """Those that may run, in the wanted order."""
    kept: KeptBucket | None = None
    """The bucket, where it is there already."""
    notes: tuple[str, ...] = ()
    """What to know, one line each."""


def assumed_account(region: str, zones: Sequence[str], types: Sequence[InstanceType]) -> Account:
    """For a look without an account: three zones, everything allowed."""
    return Account(
        account_id=ASSUMED_ACCOUNT,
        readers=(f"arn:aws:iam::{ASSUMED_ACCOUNT}:user/you",),
        zones=tuple(zones) or tuple(f"{region}{letter}" for letter in ASSUMED_ZONES),
        types=tuple(types),
    )


def look_at_account(
    region: str,
    types: Sequence[InstanceType],
    *,
    market: Market,
    max_usd_per_h: float,
    stamp: str,
    zones: Sequence[str] = (),
    on_demand_after: int | None = None,
    may_change: bool,
) -> Account:
    """Ask; every answer that forbids the machine is one line, before anything is made.

    Args:
        zones: the only ones wanted; empty for all.
        on_demand_after: interruptions after which the machine itself has the next one rented on demand; None for never.
        may_change: whether roles that AWS's services need may be made where they are missing (`up`, not a preview).

    Raises:
        AwsError: no credentials, no quota, no zone, or no price below the ceiling.
    """
    me = who_am_i(client("sts", region))
    quotas = client("service-quotas", region)
    checked = check_quota(quotas, types, market, region=region)
    ec2 = client("ec2", region)
    found = zones_for_network(zones_of(ec2, checked.fit))
    wanted = tuple(zone for zone in found if not zones or zone in zones)
    if not wanted:
        raise NoOfferError(
            f"sonarstack:zones={', '.join(zones)}: none of them has {' or '.join(kind.name for kind in checked.fit)}; "
            f"{', '.join(found)} do"
        )
    notes = list(checked.notes)
    if market == "spot":
        good = within(spot_offers(ec2, checked.fit), max_usd_per_h)
        notes.append(
            f"spot now: {good[0].type_name} in {good[0].zone} at ${good[0].price_usd_per_h:g} an hour; "
            f"your limit is ${max_usd_per_h:g}"
        )
    else:
        notes += _refuse_dear(checked.fit, max_usd_per_h, region)
    if on_demand_after is not None:
        notes += _refuse_later(quotas, checked.fit, on_demand_after, max_usd_per_h, region)
    if may_change:
        made = ensure_service_roles(client("iam", region), spot=market == "spot")
        notes += [f"made the account's role {role}, which AWS's own service needs; it stays" for role in made]
    kept = kept_bucket(client("s3", region), bucket_name(me.account_id, region, stamp), me.account_id)
    return Account(
        account_id=me.account_id,
        readers=me.principal_arns,
        zones=wanted,
        types=checked.fit,
        kept=kept,
        notes=tuple(notes),
    )


def _refuse_later(
    quotas: Any, types: Sequence[InstanceType], on_demand_after: int, max_usd_per_h: float, region: str
) -> list[str]:
    """What a spot market may end in: the machine asks nobody then, and no bid bounds that price."""
    setting = f"sonarstack:onDemandAfter={on_demand_after}"
    _, unknown = dearest_on_demand(types, read_prices(), region)
    if unknown:
        raise NoOfferError(
            f"{setting} may rent {', '.join(unknown)} on demand, whose price in {region} is not known here; leave "
            f"{'it' if len(unknown) == 1 else 'them'} out of sonarstack:instanceTypes, or leave onDemandAfter out"
        )
    _refuse_dear(types, max_usd_per_h, region)
    try:
        return [f"{setting}: {note}" for note in check_quota(quotas, types, "on_demand", region=region).notes]
    except QuotaError as error:
        raise QuotaError(f"{setting}: {error}") from error


def _refuse_dear(types: Sequence[InstanceType], max_usd_per_h: float, region: str) -> list[str]:
    """On demand nothing but our own look keeps a machine below the ceiling: by the dated table of prices."""
    table = read_prices()
    prices = {kind.name: on_demand_price(kind, table, region) for kind in types}
    dear = {
        name: one for name, one in prices.items() if one is not None and one.price_usd_per_h > max_usd_per_h
    }
    if dear:
        listed = "; ".join(f"{name} is ${one.price_usd_per_h:g} ({one.as_of})" for name, one in dear.items())
        raise NoOfferError(
            f"sonarstack:maxUsdPerH={max_usd_per_h:g} is below the on-demand price: {listed}; raise it, or leave those "
            "types out of sonarstack:instanceTypes"
        )
    return [
        f"no sourced on-demand price of {name} in {region} is at hand; AWS bills its own"
        for name, one in prices.items()
        if one is None
    ]
