"""Vast.ai's market (POST /api/v0/bundles/, public; docs.vast.ai, read 2026-11): the median that verified hosts ask."""

from datetime import date
from statistics import median
from typing import Any

import httpx

from infra.errors import PriceError
from infra.prices import Price

ADDRESS = "https://console.vast.ai/api/v0/bundles/"
MODELS = {
    "RTX 3090": ("RTX 3090", 24),
    "RTX 4090": ("RTX 4090", 24),
    "A40": ("A40", 48),
    "L4": ("L4", 24),
    "Tesla V100": ("V100", 16),
    "A100 PCIE": ("A100 80GB PCIe", 80),
    "A100 SXM4": ("A100 80GB SXM", 80),
    "H100 PCIE": ("H100 PCIe", 80),
    "H100 SXM": ("H100 SXM", 80),
}
"""The market's names to ours, with the memory in GB that an offer must have: it lists both sizes of A100 under one."""
MARKETS = {"on-demand": ("on_demand", "dph_total"), "bid": ("spot", "min_bid")}
"""The market's kind of offer to ours, and the field that holds its price."""
LEAST_OFFERS = 3
"""Fewer make no median worth the name."""


def fetch(client: httpx.Client, today: date) -> list[Price]:
    """Medians by GPU and market, for machines with one.

    Raises:
        PriceError: the market does not answer as documented.
    """
    found = []
    try:
        for kind, (market, field) in MARKETS.items():
            for model, (gpu, vram_gib) in MODELS.items():
                asked = [
                    float(offer[field])
                    for offer in _offers(client, model, kind)
                    if offer.get(field) and float(offer["gpu_ram"]) > 0.9 * 1000 * vram_gib
                ]
                if len(asked) >= LEAST_OFFERS:
                    found.append(
                        Price(
                            provider="vast",
                            machine="1x",
                            gpu=gpu,
                            gpu_count=1,
                            vram_gib=vram_gib,
                            region="any",
                            market=market,
                            price_usd_per_h=round(median(asked), 4),
                            as_of=today,
                            source=f"{ADDRESS} (median of {len(asked)} verified offers)",
                        )
                    )
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise PriceError(
            f"Vast.ai's market does not answer as documented ({type(error).__name__})"
        ) from error
    return found


def _offers(client: httpx.Client, model: str, kind: str) -> list[dict[str, Any]]:
    answer = client.post(
        ADDRESS,
        json={
            "verified": {"eq": True},
            "external": {"eq": False},
            "rentable": {"eq": True},
            "rented": {"eq": False},
            "gpu_name": {"eq": model},
            "num_gpus": {"eq": 1},
            "type": kind,
            "limit": 100,
        },
    )
    answer.raise_for_status()
    offers: list[dict[str, Any]] = answer.json()["offers"]
    return offers
