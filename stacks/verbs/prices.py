"""python -m stacks prices: what is known of the prices of machines, with source and date."""

from dataclasses import asdict
from typing import Annotated

import typer

from stacks.verbs import options


def prices(
    gpu: Annotated[str, typer.Option(help="Only GPUs whose name holds this.")] = "",
    refresh: Annotated[
        str | None,
        typer.Option(
            help="First read a provider's own list: aws, azure, vast; with a key: lambda (LAMBDA_API_KEY), "
            "runpod (RUNPOD_API_KEY)."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the prices at hand; none of them is a quote."""
    from datetime import UTC, datetime

    from rich.table import Table

    from infra.prices import read_prices, stale
    from stacks.verbs.console import say, say_json

    if refresh is not None:
        _refresh(refresh)
    known = [p for p in read_prices() if gpu.lower() in p.gpu.lower()]
    warnings = stale(known, datetime.now(UTC).date())
    if as_json:
        say_json({"prices": [asdict(p) for p in known], "warnings": warnings})
        return
    table = Table(title="prices at hand, by the whole machine")
    for name in ("provider", "machine", "GPU", "GPUs", "region", "market", "$/h", "as of", "source"):
        table.add_column(name)
    for p in sorted(known, key=lambda p: p.price_usd_per_h / p.gpu_count):
        table.add_row(
            p.provider, p.machine, p.gpu, str(p.gpu_count), p.region, p.market, f"{p.price_usd_per_h:.3f}",
            str(p.as_of), p.source,
        )  # fmt: skip
    say(table)
    for warning in warnings:
        say(f"warning: {warning}")


def _refresh(provider: str) -> None:
    from datetime import UTC, datetime

    import httpx

    from infra.errors import SettingsError
    from infra.price_lists import REFRESHERS
    from infra.prices import write_prices

    fetch = REFRESHERS.get(provider)
    if fetch is None:
        raise SettingsError(
            f"--refresh {provider} has no public list here; allowed are {', '.join(REFRESHERS)}"
        )
    with httpx.Client(timeout=30.0) as client:
        write_prices(provider, fetch(client, datetime.now(UTC).date()))
