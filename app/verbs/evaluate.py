"""python -m app evaluate: how good a model is on labelled tiles."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of labelled tiles.")],
    model: Annotated[str, typer.Option(help="A run's folder, a model file, or shipped.")] = "shipped",
    split: Annotated[
        str | None,
        typer.Option(help="val: tiles the run kept out of training; all. Without it val where it applies."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    runtime: Annotated[str, typer.Option(help="torch or onnx.")] = "torch",
    device: options.Device = None,
    fallback: options.Fallback = None,
    size_px: Annotated[int | None, typer.Option(help="Tiles larger than this are scaled down to it.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Confidence for precision and recall; else best F1.")
    ] = None,
    average_flips: options.AverageFlips = False,
    skip_bad: options.SkipBad = False,
) -> None:
    """Score a model: AP50, AP50:95, precision, recall, per class and per object size."""
    from app.config.settings import load_settings
    from app.dataset.read import read_tiles
    from app.detector.flips import with_flips
    from app.detector.runtimes import load_runtime
    from app.evaluation.evaluate import evaluate_model
    from app.storage import write_json
    from app.telemetry.progress import Bar
    from app.verbs.console import say
    from app.verbs.score_table import score_lines
    from app.verbs.stored_split import chosen_part

    settings = load_settings(overrides={"device": device, "fallback": fallback}).settings
    tiles, _ = read_tiles(data, skip_bad=skip_bad)
    part, what, run_size_px = chosen_part(tiles, model, split)
    network = load_runtime(
        model,
        runtime="onnx" if runtime == "onnx" else "torch",
        device=settings.device,
        fallback=settings.fallback,
    )
    if average_flips:
        network = with_flips(network)
    scores, _ = evaluate_model(
        network, part, size_px=size_px or run_size_px or 640, threshold=threshold, progress=Bar("tiles")
    )
    for line in score_lines(scores):
        say(line)
    say(f"scored: {what}")
    if json_file is not None:
        write_json(json_file, {**scores.as_dict(), "split": what, "model": network.description})
