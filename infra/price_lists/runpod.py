"""Runpod's catalogue (REST v2, GET /v2/catalog/gpus); needs RUNPOD_API_KEY."""

from datetime import date

import httpx

from infra.errors import PriceError
from infra.prices import Price
from infra.runpod.client import DEFAULT_ADDRESS, RunpodClient
from infra.runpod.errors import RunpodError

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
    try:
        with RunpodClient(http=client) as runpod:
            catalogue = runpod.gpus()
    except RunpodError as error:
        raise PriceError(str(error)) from error
    return [
        Price(
            provider="runpod",
            machine="pod",
            gpu=MODELS[gpu.id],
            gpu_count=1,
            vram_gib=gpu.memory_gb,
            region="any",
            market=market,
            price_usd_per_h=usd,
            as_of=today,
            source=DEFAULT_ADDRESS + "/catalog/gpus",
        )
        for gpu in catalogue
        for market, usd in (("secure", gpu.secure_usd_per_h), ("community", gpu.community_usd_per_h))
        if gpu.id in MODELS and usd
    ]
