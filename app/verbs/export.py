"""python -m app export: a trained model for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def export(
    model: Annotated[str, typer.Option(help="A run's folder, a model file, or shipped.")] = "shipped",
    out: Annotated[Path | None, typer.Option(help="The .onnx file; beside the model without it.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Weights in 16 bits: half the size.")] = False,
    as_json: options.Json = False,
) -> None:
    """Export to ONNX, checked against torch before it is written."""
    from app.detector.export import export_onnx
    from app.detector.model_file import read_model
    from app.detector.runtimes import model_path
    from app.verbs.console import say, say_json

    source = model_path(model, "torch")
    network, card = read_model(source)
    target = out or (Path("sonarstack.onnx") if model == "shipped" else source.with_suffix(".onnx"))
    check = export_onnx(network, target, card=card, half=half)
    if as_json:
        say_json({"path": str(target), **check.as_dict()})
        return
    say(f"wrote {target}, {check.size_bytes / 2**20:.2f} MiB")
    say(
        f"against torch: boxes within {check.box_difference_px:.2g} px, scores within {check.score_difference:.2g}"
    )
    say(f"use it: python -m app detect SURVEY.xtf --runtime onnx --model {target}")
