"""Where a size can be had by this subscription, and for how much now.

Source: learn.microsoft.com, rest/api/compute/resource-skus/list, and rest/api/cost-management/retail-prices (2026-11).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from infra.azure.arm import Arm
from infra.azure.errors import NoOfferError
from infra.azure.sizes import Market, Size
from infra.price_lists.azure import ADDRESS, fetch
from infra.prices import Price

SKUS = "2021-07-01"
PRICES_VARIABLE = "SONARSTACK_AZURE_PRICES_URL"
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
CENT_USD = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A size that the region sells to this subscription."""

    size: Size
    family: str
    """As the service names it."""
    host_encryption: bool
    """Whether it can be encrypted at its host."""
    trusted_launch: bool
    """Whether it can start measured, with a virtual TPM."""
    spot: bool
    """Whether it is sold as spot at all."""


def offers_in(
    arm: Arm, subscription_id: str, location: str, sizes: Sequence[Size], market: Market
) -> tuple[Offer, ...]:
    """Those of the sizes that can be had, in the wanted order.

    Raises:
        NoOfferError: none; with what Azure says of each.
        AzureError: Azure does not answer.
    """
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/skus"
    wanted = {size.name.lower(): size for size in sizes}
    rows = {
        str(row["name"]).lower(): row
        for row in arm.items(path, SKUS, f"sizes in {location}", **{"$filter": f"location eq '{location}'"})
        if row.get("resourceType") == "virtualMachines" and str(row.get("name")).lower() in wanted
    }
    found, why = [], []
    for key, size in wanted.items():
        row = rows.get(key)
        if row is None:
            why.append(f"{location} has no {size.name}")
            continue
        # Restrictions of zones leave the others: the machine is asked for without a zone.
        shut = next((one for one in row.get("restrictions") or () if one.get("type") == "Location"), None)
        able = {
            str(one["name"]): str(one["value"]).lower() == "true" for one in row.get("capabilities") or ()
        }
        if shut is not None:
            why.append(f"{size.name} is shut to your subscription in {location} ({shut.get('reasonCode')})")
        elif market == "spot" and not able.get("LowPriorityCapable", False):
            why.append(f"{size.name} is not sold as spot in {location}")
        else:
            found.append(
                Offer(
                    size=size,
                    family=str(row.get("family") or size.family),
                    host_encryption=able.get("EncryptionAtHostSupported", False),
                    trusted_launch=not able.get("TrustedLaunchDisabled", False),
                    spot=able.get("LowPriorityCapable", False),
                )
            )
    if not found:
        raise NoOfferError(
            f"{'; '.join(why)}: take another size or sonarstack:location, or ask for access at "
            "https://aka.ms/azureskunotavailable"
        )
    return tuple(found)


def prices_now(location: str, sizes: Sequence[Size]) -> list[Price]:
    """The public price list's rows of the sizes at a place, on demand and spot, by the machine and hour.

    Raises:
        PriceError: the list does not answer.
    """
    with httpx.Client(timeout=TIMEOUT) as client:
        return fetch(
            client,
            datetime.now(UTC).date(),
            region=location,
            names=[size.name for size in sizes],
            address=os.environ.get(PRICES_VARIABLE) or ADDRESS,
        )


def within(
    prices: Sequence[Price], sizes: Sequence[Size], market: Market, max_usd_per_h: float
) -> dict[str, float | None]:
    """Those of the sizes that the ceiling reaches, with their dollars an hour; None where nobody tells a price.

    Raises:
        NoOfferError: every price is above it; with what the cheapest costs.
    """
    told = {
        size.name: [p.price_usd_per_h for p in prices if (p.machine, p.market) == (size.name, market)]
        for size in sizes
    }
    known = {name: min(several) if several else None for name, several in told.items()}
    good = {name: usd for name, usd in known.items() if usd is None or usd <= max_usd_per_h}
    if known and not good:
        least, name = min((usd, name) for name, usd in known.items() if usd is not None)
        enough = -(-round(least / CENT_USD, 6) // 1) * CENT_USD
        raise NoOfferError(
            f"${max_usd_per_h:g}/h is below every {market.replace('_', '-')} price now; the cheapest is {name} at "
            f"${least:g}/h: set sonarstack:maxUsdPerH to {enough:.2f} or more"
        )
    return good
