"""python -m app benchmark: what this machine's devices reach."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.verbs import options

if TYPE_CHECKING:
    from rich.table import Table

    from app.benchmark.environments import DeviceResult


def benchmark(
    device: Annotated[
        list[str] | None, typer.Option(help="Devices to measure; all that are here without it.")
    ] = None,
    price_usd_per_h: Annotated[
        float | None, typer.Option(min=0, help="Turns the rates into dollars per 1000 images and per epoch.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some seconds a device instead of twenty.")] = False,
    json_file: Annotated[Path | None, typer.Option(help="Write the results to this file too.")] = None,
    as_json: options.Json = False,
) -> None:
    """Measure every device: arithmetic, memory, and the detector's own training and inference."""
    from rich.console import Console
    from rich.table import Table

    from app.benchmark.environments import EPOCH_IMAGES, MultiEnvironmentBenchmark
    from app.storage import require_writable_file, write_json
    from app.telemetry.progress import Bar
    from app.verbs.console import say_json

    if json_file is not None:
        require_writable_file(json_file)
    results = MultiEnvironmentBenchmark(
        tuple(device) if device else None, price_usd_per_h=price_usd_per_h, quick=quick
    ).run(Bar("devices"))
    content = {"epoch_images": EPOCH_IMAGES, "devices": [r.as_dict() for r in results]}
    if json_file is not None:
        write_json(json_file, content)
    if as_json:
        say_json(content)
        return
    table = Table(title="devices of this machine")
    table.add_column("")
    for result in results:
        table.add_column(f"{result.device}\n{result.name}", justify="right")
    rows = {
        "format": [r.dtype for r in results],
        "matmul, TFLOP/s": [f"{r.rates.matmul_tflops:.3f}" for r in results],
        "matmul float32, TFLOP/s": [f"{r.rates.matmul_float32_tflops:.3f}" for r in results],
        "convolution, TFLOP/s": [f"{r.rates.convolution_tflops:.3f}" for r in results],
        "memory, GB/s": [f"{r.rates.memory_gb_per_s:.1f}" for r in results],
        "host to device, GB/s": [_or_dash(r.rates.transfer_gb_per_s, ".1f") for r in results],
        "training, images/s (256 px)": [f"{r.train_images_per_s:.1f}" for r in results],
        "inference, images/s (256 px)": [f"{r.inference_images_per_s:.1f}" for r in results],
        "memory of a step, MiB": [f"{r.peak_memory_mib:,.0f}" for r in results],
        "dollars per 1000 images": [_or_dash(r.usd_per_1000_images, ".5f") for r in results],
        f"dollars per {EPOCH_IMAGES:,} images": [_or_dash(r.usd_per_epoch, ".4f") for r in results],
    }
    for name, values in rows.items():
        table.add_row(name, *values)
    Console().print(table)
    for result in results:
        Console().print(_runtimes(result))


def _runtimes(result: "DeviceResult") -> "Table":
    """A device's runtimes, the fastest first."""
    from rich.table import Table

    table = Table(title=f"inference on {result.device}, tiles of 256 px")
    for name in ("runtime", "ms an image", "images/s", "dollars per 1000 images", ""):
        table.add_column(name, justify="left" if name in ("runtime", "") else "right")
    for r in result.runtimes:
        table.add_row(
            r.runtime,
            _or_dash(r.ms_per_image, ".2f"),
            _or_dash(r.images_per_s, ".1f"),
            _or_dash(r.usd_per_1000_images, ".6f"),
            r.note,
        )
    return table


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
