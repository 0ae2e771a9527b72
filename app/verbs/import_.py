"""python -m app import: labelled tiles from one's own surveys."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def import_(
    survey: Annotated[
        list[Path], typer.Option(help="Recording, or a folder of them; may be given several times.")
    ],
    targets: Annotated[
        Path, typer.Option(help="Known targets: GeoJSON points, or CSV with lon,lat[,label].")
    ],
    out: options.OutFolder = Path("tiles"),
    crs: Annotated[str | None, typer.Option(help="Grid of positions in metres, such as EPSG:32619.")] = None,
    range_m: Annotated[
        float | None, typer.Option(help="Slant range, where a recording does not say it.")
    ] = None,
    tile_px: Annotated[int, typer.Option(min=64, help="Side of a tile.")] = 256,
    skip_bad: options.SkipBad = False,
    as_json: options.Json = False,
) -> None:
    """Cut labelled tiles from surveys at the places of known targets."""
    from dataclasses import asdict

    from app.dataset.survey_import import ImportOptions, import_survey
    from app.telemetry.progress import Bar
    from app.verbs.console import say, say_json, warn
    from app.verbs.survey_files import recordings_in

    wishes = ImportOptions(crs=crs, range_m=range_m, tile_px=tile_px, skip_bad=skip_bad)
    summary = import_survey(recordings_in(survey), targets, out, options=wishes, progress=Bar("files"))
    if as_json:
        say_json(asdict(summary))
        return
    boxes = ", ".join(f"{count} {name}" for name, count in summary.boxes.items()) or "none"
    say(
        f"{summary.tiles - summary.backgrounds} tiles with targets ({boxes}), {summary.backgrounds} without, in {out}"
    )
    for line in summary.left_out:
        warn(f"left out: {line}")
    for place in summary.unseen:
        warn(f"no line passes the target at {place}")
    say(f"next: python -m app train --data {out} --recipe fine_tune --run runs/mine")
