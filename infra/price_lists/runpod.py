"""Runpod's catalogue (REST v2, GET /v2/catalog/gpus); needs RUNPOD_API_KEY."""

from datetime import date

import httpx

from infra.errors import PriceError
from infra.prices import Price
from infra.runpod.client import DEFAULT_ADDRESS, RunpodClient
from infra.runpod.errors import RunpodError
from infra.runpod.gpu_names import PRICED


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
            gpu=PRICED[gpu.id],
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
        if gpu.id in PRICED and usd
    ]
