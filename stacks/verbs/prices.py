"""python -m stacks prices: what is known of the prices of machines, with source and date."""

from dataclasses import asdict
from typing import Annotated

import typer

from stacks.verbs import options


def prices(
    gpu: Annotated[str, typer.Option(help="Only GPUs whose name holds this.")] = "",
    as_json: options.Json = False,
) -> None:
    """List the prices at hand; none of them is a quote."""
    from datetime import UTC, datetime

    from rich.table import Table

    from infra.prices import read_prices, stale
    from stacks.verbs.console import say, say_json

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
