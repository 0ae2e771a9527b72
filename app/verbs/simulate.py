"""python -m app simulate: surveys and labelled tiles that never were at sea."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def simulate(
    out: options.OutFolder = Path("simulated"),
    lines: Annotated[int, typer.Option(min=1, help="Survey lines, one XTF file each.")] = 2,
    pings: Annotated[int, typer.Option(min=64, help="Pings of a line.")] = 2000,
    range_m: Annotated[
        float,
        typer.Option(min=14, max=300, help="Slant range of one side; the towfish is 7 m above the bottom."),
    ] = 50.0,
    tiles: Annotated[int, typer.Option(min=0, help="Write this many labelled tiles (YOLO) instead.")] = 0,
    size_px: Annotated[int, typer.Option(min=64, max=4096, help="Side of a tile.")] = 256,
    seed: options.Seed = None,
    as_json: options.Json = False,
) -> None:
    """Simulate surveys as XTF with their truth as COCO and GeoJSON, or labelled tiles."""
    from app.dataset.simulated import write_simulated_tiles
    from app.sonar.simulator.survey import SurveyPlan, simulate_survey
    from app.telemetry.progress import Bar
    from app.verbs.console import say, say_json

    if tiles:
        count = write_simulated_tiles(out, tiles, seed=seed or 0, progress=Bar("tiles"), size_px=size_px)
        say_json({"tiles": count, "folder": str(out)}) if as_json else say(f"{count} labelled tiles in {out}")
        return
    plan = SurveyPlan(seed=seed or 0, lines=lines, pings=pings, range_m=range_m)
    survey = simulate_survey(plan, out, Bar("pings"))
    if as_json:
        say_json({"files": [str(f) for f in survey.files], "truth": str(survey.truth_geojson)})
        return
    for file in survey.files:
        say(str(file))
    say(f"truth: {survey.truth_geojson}")
    say(f"next: python -m app detect {out} --out contacts")
