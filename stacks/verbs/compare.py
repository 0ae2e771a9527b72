"""python -m stacks compare: what a given amount of training costs where."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from rich.table import Table

    from infra.compare import Measured, Row


def compare(
    images: Annotated[int, typer.Option(min=1, help="Tiles of the data set.")],
    epochs: Annotated[int, typer.Option(min=1, help="Times that each is seen.")],
    measured: Annotated[
        Path | None, typer.Option(help="What `python -m app benchmark --json-file FILE` wrote.")
    ] = None,
    set_up_minutes_own: Annotated[float, typer.Option(min=0, help="Until an own machine trains.")] = 1.0,
    set_up_minutes_rented: Annotated[
        float, typer.Option(min=0, help="Until a rented one does: machine, image, upload.")
    ] = 10.0,
    usd_per_kwh: Annotated[float, typer.Option(min=0, help="Electricity.")] = 0.30,
    own_watts: Annotated[float, typer.Option(min=0, help="This machine at work.")] = 150.0,
    own_gpu: Annotated[str, typer.Option(help="GPU you have or think of buying.")] = "RTX 4090",
    have_gpu: Annotated[
        bool, typer.Option("--have-gpu", help="The own GPU is there: it may be recommended.")
    ] = False,
    own_gpu_usd: Annotated[float, typer.Option(min=0, help="Its price; 0 if it is paid.")] = 2000.0,
    own_gpu_hours: Annotated[
        float, typer.Option(min=1, help="Hours of use that price is spread over.")
    ] = 5000.0,
    patience_hours: Annotated[float, typer.Option(min=0, help="Own machine if it ends within this.")] = 8.0,
    chart: Annotated[Path | None, typer.Option(help="Write a chart (SVG) to this file.")] = None,
    as_json: options.Json = False,
) -> None:
    """Compare all targets for an amount of work: hours, dollars, dollars per 1000 images, and which to take."""
    from datetime import UTC, datetime

    from infra.compare import FORMULA, Assumptions, recommend
    from infra.compare import compare as rows_for
    from infra.prices import read_peaks, read_prices, stale
    from stacks.verbs.console import say, say_json

    assumed = Assumptions(
        set_up_minutes_own=set_up_minutes_own,
        set_up_minutes_rented=set_up_minutes_rented,
        usd_per_kwh=usd_per_kwh,
        own_watts=own_watts,
        own_gpu=own_gpu,
        have_own_gpu=have_gpu,
        own_gpu_usd=own_gpu_usd,
        own_gpu_life_hours=own_gpu_hours,
        patience_hours=patience_hours,
    )
    prices = read_prices()
    rows = rows_for(
        images=images,
        epochs=epochs,
        measured=_read(measured),
        prices=prices,
        peaks=read_peaks(),
        assumed=assumed,
    )
    best, why = recommend(rows, assumed)
    warnings = stale(prices, datetime.now(UTC).date())
    if chart is not None:
        from stacks.verbs.compare_chart import draw

        chart.write_text(draw(rows, f"{images:,} images, {epochs} epochs"))
    if as_json:
        say_json(
            {
                "rows": [r.as_dict() for r in rows],
                "recommended": best.as_dict() if best else None,
                "why": why,
                "formula": FORMULA,
                "warnings": warnings,
            }
        )
        return
    say(_table(rows, f"{images:,} images x {epochs} epochs, 256 px"))
    say(f"take: {best.where}, {best.device}: {why}" if best else f"take: {why}")
    say(f"formula: {FORMULA}")
    say(
        f"assumed: set-up {assumed.set_up_minutes_own:g} min here, {assumed.set_up_minutes_rented:g} min rented; "
        f"${usd_per_kwh:g} a kWh; this machine {own_watts:g} W; {own_gpu} ${own_gpu_usd:g} over {own_gpu_hours:g} h"
    )
    for warning in warnings:
        say(f"warning: {warning}")
    if chart is not None:
        say(f"chart: {chart}")


def _read(path: Path | None) -> list["Measured"]:
    from infra.compare import Measured
    from infra.errors import SettingsError

    if path is None:
        return []
    try:
        devices = json.loads(path.read_text())["devices"]
        return [
            Measured(
                device=str(d["device"]),
                name=str(d["name"]),
                images_per_s=float(d["train_images_per_s"]),
                convolution_tflops=float(d["rates"]["convolution_tflops"]),
                memory_gb_per_s=float(d["rates"]["memory_gb_per_s"]),
            )
            for d in devices
        ]
    except OSError as error:
        raise SettingsError(
            f"--measured {path} cannot be read ({error.strerror}); check the path, or write it: "
            f"python -m app benchmark --json-file {path}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"--measured {path} is not what `python -m app benchmark --json-file` writes ({type(error).__name__})"
        ) from error


def _table(rows: Sequence["Row"], title: str) -> "Table":
    from rich.table import Table

    table = Table(title=title)
    for name in ("where", "device", "set-up min", "hours", "dollars", "$ per 1000 images", "$/h", "speed"):
        table.add_column(name, justify="left" if name in ("where", "device", "speed") else "right")
    for r in rows:
        table.add_row(
            r.where,
            r.device,
            f"{r.set_up_minutes:g}",
            _range(r.hours, ".2f"),
            _range(r.usd, ".2f"),
            _range(r.usd_per_1000_images, ".4f"),
            f"{r.price_usd_per_h:.3f}",
            r.basis,
        )
    return table


def _range(pair: tuple[float, float] | None, form: str) -> str:
    if pair is None:
        return "not measured"
    low, high = (f"{value:{form}}" for value in pair)
    return low if low == high else f"{low} ... {high}"
