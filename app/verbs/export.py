"""python -m app export: a trained model for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def export(
    model: Annotated[str, typer.Option(help="A run's folder, a model file, or shipped.")] = "shipped",
    out: Annotated[Path | None, typer.Option(help="The .onnx file; beside the model without it.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Weights in 16 bits: half the size.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Computes in 8 bits; refused where that loses accuracy.")
    ] = False,
    calibration: Annotated[
        Path | None, typer.Option(help="Labelled tiles for --int8: a part measures ranges, the rest scores.")
    ] = None,
    size_px: Annotated[int | None, typer.Option(help="Size at which --int8 sees the tiles.")] = None,
    as_json: options.Json = False,
) -> None:
    """Export to ONNX, checked against torch before it is written."""
    from app.detector.export import export_onnx
    from app.detector.model_file import read_model
    from app.detector.runtimes import INT8_SUFFIX, model_path
    from app.errors import SettingsError
    from app.verbs.console import say, say_json
    from app.verbs.size_choice import require_size

    if int8 is not (calibration is not None):
        raise SettingsError("--int8 and --calibration FOLDER belong together")
    if size_px is not None and not int8:
        raise SettingsError(
            f"--size-px {size_px} can do nothing without --int8: an exported network takes pictures of any size"
        )
    if int8 and half:
        raise SettingsError("--half is for 32-bit networks; leave it out with --int8")
    require_size(size_px)
    if Path(model).suffix == ".onnx":
        raise SettingsError(f"--model {model} is exported already; give the run's folder, or its .pt file")
    source = model_path(model, "torch")
    network, card = read_model(source)
    suffix = INT8_SUFFIX if int8 else ".onnx"
    target = out or (Path(f"sonarstack{suffix}") if model == "shipped" else source.with_suffix(suffix))
    if calibration is not None:
        from app.evaluation.int8 import export_int8
        from app.telemetry.progress import Bar
        from app.verbs.stored_split import calibration_parts

        ranges, scored = calibration_parts(calibration, model)
        lost = export_int8(
            network,
            target,
            card=card,
            calibration=ranges,
            evaluation=scored,
            size_px=size_px or card.size_px,
            progress=Bar("tiles"),
        )
        if as_json:
            say_json({"path": str(target), **lost.as_dict()})
            return
        say(f"wrote {target}, {lost.size_bytes / 2**20:.2f} MiB")
        say(
            f"AP50 {lost.ap50_float32:.4f} in 32 bits, {lost.ap50_int8:.4f} in 8, on {lost.evaluated_tiles} tiles "
            f"with {lost.evaluated_boxes} boxes kept out of the calibration on {lost.calibrated_tiles}"
        )
        say(f"use it: python -m app detect SURVEY.xtf --runtime auto --model {target}")
        return
    check = export_onnx(network, target, card=card, half=half)
    if as_json:
        say_json({"path": str(target), **check.as_dict()})
        return
    say(f"wrote {target}, {check.size_bytes / 2**20:.2f} MiB")
    say(
        f"against torch: boxes within {check.box_difference_px:.2g} px, scores within {check.score_difference:.2g}"
    )
    say(f"use it: python -m app detect SURVEY.xtf --runtime onnx --model {target}")
