"""AWS's public price list (docs.aws.amazon.com, "price list bulk files"; no key), read as it streams.

The file of one region has some hundred megabytes; only the rows of our machines are kept.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import date

import httpx

from infra.errors import PriceError
from infra.prices import Price

REGION = "us-east-1"
ADDRESS = f"https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/{REGION}/index.csv"
TYPES = {
    "g4dn.xlarge": ("T4", 1, 16),
    "g5.xlarge": ("A10G", 1, 24),
    "g6.xlarge": ("L4", 1, 24),
    "p4d.24xlarge": ("A100 40GB", 8, 40),
    "p4de.24xlarge": ("A100 80GB SXM", 8, 80),
    "p5.48xlarge": ("H100 SXM", 8, 80),
}
"""Type to GPU, count and GB of one."""
WANTED = {
    "TermType": "OnDemand",
    "Unit": "Hrs",
    "Operating System": "Linux",
    "Tenancy": "Shared",
    "CapacityStatus": "Used",
    "Pre Installed S/W": "NA",
}
"""A type has dozens of rows: reservations, other systems, databases installed. One of them is what we rent."""


def fetch(client: httpx.Client, today: date) -> list[Price]:
    """On-demand prices of our types, Linux; spot prices are not in the list.

    Raises:
        PriceError: the list does not answer as documented.
    """
    try:
        with client.stream("GET", ADDRESS) as answer:
            answer.raise_for_status()
            rows = csv.DictReader(_from_the_header(answer.iter_lines()))
            found = [price for row in rows if (price := _price(row, today)) is not None]
    except (httpx.HTTPError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise PriceError(
            f"AWS's price list does not answer as documented ({type(error).__name__})"
        ) from error
    return found


def _from_the_header(lines: Iterable[str]) -> Iterator[str]:
    """Lines about the list itself come before the table."""
    begun = False
    for line in lines:
        begun = begun or line.startswith('"SKU"')
        if begun:
            yield line
    if not begun:
        raise ValueError("no header")


def _price(row: dict[str, str], today: date) -> Price | None:
    kind = TYPES.get(row["Instance Type"])
    if kind is None or any(row[name] != value for name, value in WANTED.items()):
        return None
    gpu, count, vram_gib = kind
    return Price(
        provider="aws",
        machine=row["Instance Type"],
        gpu=gpu,
        gpu_count=count,
        vram_gib=vram_gib,
        region=REGION,
        market="on_demand",
        price_usd_per_h=float(row["PricePerUnit"]),
        as_of=today,
        source=ADDRESS,
    )
