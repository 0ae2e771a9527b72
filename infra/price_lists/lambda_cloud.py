"""Lambda's instance types (GET /instance-types, docs-api.lambda.ai/api/cloud, read 2026-11); needs LAMBDA_API_KEY."""

import os
from datetime import date

import httpx

from infra.errors import PriceError
from infra.prices import Price

ADDRESS = "https://cloud.lambda.ai/api/v1/instance-types"
TYPES = {
    "gpu_1x_a100": ("A100 40GB", 1, 40),
    "gpu_1x_a100_sxm4": ("A100 40GB", 1, 40),
    "gpu_1x_h100_pcie": ("H100 PCIe", 1, 80),
    "gpu_1x_h100_sxm5": ("H100 SXM", 1, 80),
    "gpu_8x_v100": ("V100", 8, 16),
}
"""Type to GPU, count and GB of one."""


def fetch(client: httpx.Client, today: date) -> list[Price]:
    """On-demand prices of our types; Lambda has no other kind.

    Raises:
        PriceError: no key, or the list does not answer as documented.
    """
    key = os.environ.get("LAMBDA_API_KEY")
    if not key:
        raise PriceError("Lambda's list needs LAMBDA_API_KEY; set it, or look at the prices on lambda.ai")
    try:
        answer = client.get(ADDRESS, headers={"Authorization": f"Bearer {key}"})
        if answer.status_code in (401, 403):
            raise PriceError("Lambda does not accept LAMBDA_API_KEY; make a new one in its console")
        answer.raise_for_status()
        listed = answer.json()["data"]
        return [
            Price(
                provider="lambda",
                machine=name,
                gpu=gpu,
                gpu_count=count,
                vram_gib=vram_gib,
                region="any",
                market="on_demand",
                price_usd_per_h=listed[name]["instance_type"]["price_cents_per_hour"] / 100,
                as_of=today,
                source=ADDRESS,
            )
            for name, (gpu, count, vram_gib) in TYPES.items()
            if name in listed
        ]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise PriceError(f"Lambda's list does not answer as documented ({type(error).__name__})") from error
