"""Azure's Retail Prices API, public and without a key (learn.microsoft.com, rest/api/cost-management/retail-prices)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import httpx

from infra.azure.sizes import SIZES
from infra.errors import PriceError
from infra.prices import Price

ADDRESS = "https://prices.azure.com/api/retail/prices"
REGION = "eastus"
PAGES = 20
"""A list that goes on for longer is not what was asked for."""


def fetch(
    client: httpx.Client,
    today: date,
    *,
    region: str = REGION,
    names: Sequence[str] = tuple(SIZES),
    address: str = ADDRESS,
) -> list[Price]:
    """On-demand and spot prices of our sizes, Linux.

    Raises:
        PriceError: the list does not answer as documented.
    """
    wanted = " or ".join(f"armSkuName eq '{size}'" for size in names)
    url = address
    params: dict[str, str] | None = {
        "$filter": f"armRegionName eq '{region}' and priceType eq 'Consumption' and ({wanted})"
    }
    found: list[Price] = []
    try:
        for _ in range(PAGES):
            answer = client.get(url, params=params) if params else client.get(url)
            answer.raise_for_status()
            content = answer.json()
            found += [p for item in content["Items"] if (p := _price(item, today)) is not None]
            url, params = content.get("NextPageLink") or "", None
            if not url:
                return found
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise PriceError(
            f"Azure's price list does not answer as documented ({type(error).__name__})"
        ) from error
    raise PriceError(
        f"Azure's price list has more than {PAGES} pages for {len(names)} sizes; nothing was changed"
    )


def _price(item: dict[str, Any], today: date) -> Price | None:
    size = item["armSkuName"]
    # Windows and low priority (the retired kind of spot) are listed beside what we rent.
    if size not in SIZES or "Windows" in item["productName"] or "Low Priority" in item["skuName"]:
        return None
    known = SIZES[size]
    return Price(
        provider="azure",
        machine=size,
        gpu=known.gpu,
        gpu_count=known.gpu_count,
        vram_gib=known.gpu_memory_mib // 1024,
        region=item["armRegionName"],
        market="spot" if "Spot" in item["skuName"] else "on_demand",
        price_usd_per_h=float(item["retailPrice"]),
        as_of=today,
        source=ADDRESS,
    )
