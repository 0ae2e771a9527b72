"""Where a type can be had, and for how much on the spot market now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.aws.account import explained
from infra.aws.errors import NoOfferError
from infra.aws.types import InstanceType

SYSTEM = "Linux/UNIX"
CENT_USD = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotOffer:
    """The newest price of a type in a zone."""

    type_name: str
    zone: str
    price_usd_per_h: float
    as_of: datetime


def zones_of(ec2: Any, types: Sequence[InstanceType]) -> dict[str, tuple[str, ...]]:
    """Type to zones of the client's region that have it, in the types' order (`ec2:DescribeInstanceTypeOfferings`).

    Raises:
        NoOfferError: none has any of them.
        AccountError: AWS does not answer.
    """
    with explained("the zones that offer a type"):
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [kind.name for kind in types]}],
        )
        rows = [
            (row["InstanceType"], row["Location"]) for page in pages for row in page["InstanceTypeOfferings"]
        ]
    found = {kind.name: tuple(sorted(zone for name, zone in rows if name == kind.name)) for kind in types}
    if not any(found.values()):
        raise NoOfferError(
            f"no zone of {ec2.meta.region_name} has {' or '.join(found)}; take another type or sonarstack:region"
        )
    return found


def zones_for_network(zones: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Every zone that has at least one of the types, so that each type finds a subnet."""
    return tuple(sorted({zone for several in zones.values() for zone in several}))


def spot_offers(
    ec2: Any, types: Sequence[InstanceType], *, now: datetime | None = None
) -> tuple[SpotOffer, ...]:
    """The price that holds now of each type in each zone, the cheapest first (`ec2:DescribeSpotPriceHistory`).

    Raises:
        AccountError: AWS does not answer.
    """
    since = now or datetime.now(UTC)
    with explained("spot prices"):
        pages = ec2.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=[kind.name for kind in types],
            ProductDescriptions=[SYSTEM],
            # With one moment as start, the answer is what holds at it.
            StartTime=since,
        )
        rows = [row for page in pages for row in page["SpotPriceHistory"]]
    newest: dict[tuple[str, str], SpotOffer] = {}
    for row in rows:
        offer = SpotOffer(
            type_name=row["InstanceType"],
            zone=row["AvailabilityZone"],
            price_usd_per_h=float(row["SpotPrice"]),
            as_of=row["Timestamp"],
        )
        place = (offer.type_name, offer.zone)
        if place not in newest or newest[place].as_of < offer.as_of:
            newest[place] = offer
    return tuple(sorted(newest.values(), key=lambda one: (one.price_usd_per_h, one.type_name, one.zone)))


def within(offers: Sequence[SpotOffer], max_usd_per_h: float) -> tuple[SpotOffer, ...]:
    """Those that the bid reaches.

    Raises:
        NoOfferError: none; with what the cheapest costs.
    """
    if not offers:
        raise NoOfferError(
            "AWS tells no spot price for these types; take others, or sonarstack:market on_demand"
        )
    good = tuple(offer for offer in offers if offer.price_usd_per_h <= max_usd_per_h)
    if not good:
        least = min(offers, key=lambda one: one.price_usd_per_h)
        enough = -(-round(least.price_usd_per_h / CENT_USD, 6) // 1) * CENT_USD
        raise NoOfferError(
            f"a bid of ${max_usd_per_h:g}/h is below every spot price now; the cheapest is {least.type_name} in "
            f"{least.zone} at ${least.price_usd_per_h:g}/h: set sonarstack:maxUsdPerH to {enough:.2f} or more"
        )
    return good
