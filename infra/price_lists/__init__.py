"""Providers' own price lists, read into the table: one file a provider that publishes one.

Their answers were tried as the providers document them, from loopback; the live services were not in reach.
"""

from collections.abc import Callable
from datetime import date

import httpx

from infra.price_lists import aws, azure, lambda_cloud, runpod, vast
from infra.prices import Price

REFRESHERS: dict[str, Callable[[httpx.Client, date], list[Price]]] = {
    "aws": aws.fetch,
    "azure": azure.fetch,
    "lambda": lambda_cloud.fetch,
    "runpod": runpod.fetch,
    "vast": vast.fetch,
}
"""Reads today's prices of one provider."""
