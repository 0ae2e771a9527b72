"""Runpod's catalogue (REST v2, GET /v2/catalog/gpus); needs RUNPOD_API_KEY."""

import os
from datetime import date

import httpx

from infra.errors import PriceError
from infra.prices import Price

DEFAULT_ADDRESS = "https://api.runpod.io/v2"
MODELS = {
    "NVIDIA GeForce RTX 3090": "RTX 3090",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA A40": "A40",
    "NVIDIA L4": "L4",
    "NVIDIA A100 80GB PCIe": "A100 80GB PCIe",
    "NVIDIA A100-SXM4-80GB": "A100 80GB SXM",
    "NVIDIA H100 PCIe": "H100 PCIe",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "NVIDIA H100 NVL": "H100 NVL",
    "Tesla V100-SXM2-16GB": "V100",
}
"""The catalogue's ids (docs.runpod.io references/gpu-types, read 2026-11-22) to the table's names."""


def fetch(client: httpx.Client, today: date) -> list[Price]:
    """Secure and community prices of the GPUs we know.

    Raises:
        PriceError: no key, or the catalogue does not answer as its contract says.
    """
    key = os.environ.get("RUNPOD_API_KEY")
    if not key:
        raise PriceError(
            "Runpod's catalogue needs RUNPOD_API_KEY; set it, or look at the prices in the console"
        )
    address = os.environ.get("RUNPOD_REST_V2_API_URL", DEFAULT_ADDRESS).rstrip("/") + "/catalog/gpus"
    found = []
    try:
        answer = client.get(address, headers={"Authorization": f"Bearer {key}"})
        if answer.status_code in (401, 403):
            raise PriceError("Runpod does not accept RUNPOD_API_KEY; make a new one in the console")
        answer.raise_for_status()
        for gpu in answer.json()["gpus"]:
            for market in ("secure", "community"):
                usd = gpu["price"].get(market)
                if gpu["id"] in MODELS and usd:
                    found.append(
                        Price(
                            provider="runpod",
                            machine="pod",
                            gpu=MODELS[gpu["id"]],
                            gpu_count=1,
                            vram_gib=int(gpu["memory"]),
                            region="any",
                            market=market,
                            price_usd_per_h=float(usd),
                            as_of=today,
                            source=DEFAULT_ADDRESS + "/catalog/gpus",
                        )
                    )
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PriceError(
            f"Runpod's catalogue does not answer as documented ({type(error).__name__})"
        ) from error
    return found
