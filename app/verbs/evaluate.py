"""python -m app evaluate: how good a model is on labelled tiles."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def evaluate(
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder of labelled tiles, or s3://, gs://, az://; not needed with a false alarm rate."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A run's folder, a model file, or shipped.")] = "shipped",
    split: Annotated[
        str | None,
        typer.Option(help="val: tiles the run kept out of training; all. Without it val where it applies."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    runtime: options.Runtime = "torch",
    device: options.Device = None,
    fallback: options.Fallback = None,
    size_px: Annotated[
        int | None, typer.Option(help="Tiles larger than this are scaled down to it; a multiple of 32.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confidence for precision and recall; else best F1.")
    ] = None,
    average_flips: options.AverageFlips = False,
    report: Annotated[Path | None, typer.Option(help="Write a page with pictures to this file.")] = None,
    false_alarms_per_km2: options.FalseAlarms = None,
    empty_km2: Annotated[
        float | None,
        typer.Option(min=0, help="Simulated empty seabed to look at; else enough for the rate, up to 1."),
    ] = None,
    recordings: Annotated[
        list[Path] | None, typer.Option(help="Recordings without known targets to count false alarms on too.")
    ] = None,
    stretches: Annotated[
        Path | None,
        typer.Option(help="CSV of their parts that count: source, side, first_ping, last_ping."),
    ] = None,
    crs: Annotated[str | None, typer.Option(help="Grid of positions in metres, such as EPSG:32619.")] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep what was found beside the model, for detect at a wanted rate."),
    ] = False,
    skip_bad: options.SkipBad = False,
) -> None:
    """Score a model: AP50, AP50:95, precision, recall, by class, size and distance; its false alarms per km2."""
    from app.config.settings import load_settings
    from app.dataset.read import read_tiles
    from app.dataset.remote import local_data
    from app.detector.flips import with_flips
    from app.errors import SettingsError
    from app.evaluation.evaluate import evaluate_model
    from app.evaluation.false_alarms import EmptyGround
    from app.report.evaluation_page import evaluation_dict, evaluation_page
    from app.storage import require_writable_file, write_json, write_text
    from app.telemetry.progress import Bar
    from app.verbs.chosen_runtime import chosen_runtime, is_on_cpu
    from app.verbs.console import say
    from app.verbs.false_alarms import Look
    from app.verbs.false_alarms import keep as keep_beside
    from app.verbs.idle_options import require_search_use, require_tiles_use
    from app.verbs.score_table import score_lines
    from app.verbs.size_choice import require_size
    from app.verbs.stored_split import chosen_part

    settings = load_settings(overrides={"device": device, "fallback": fallback}).settings
    if data is None and false_alarms_per_km2 is None:
        raise SettingsError("evaluate needs tiles or a rate: give --data FOLDER, or --false-alarms-per-km2 N")
    require_tiles_use(data, split=split, threshold=threshold, size_px=size_px, skip_bad=skip_bad)
    require_search_use(
        false_alarms_per_km2,
        keep=keep,
        recordings=recordings,
        stretches=stretches,
        crs=crs,
        empty_km2=empty_km2,
    )
    require_size(size_px)
    for file in (json_file, report):
        if file is not None:
            require_writable_file(file)
    part, what, side_px = None, "", size_px or 640
    if data is not None:
        tiles, _ = read_tiles(local_data(data, Bar("MiB")), skip_bad=skip_bad)
        part, what, run_size_px = chosen_part(tiles, model, split)
        side_px = size_px or run_size_px or 640
    network = chosen_runtime(
        model,
        runtime,
        device=settings.device,
        fallback=settings.fallback,
        shape_BHW=(4, side_px, side_px),
    )
    if average_flips:
        network = with_flips(network)
    scores = None
    if part is not None:
        scores, _ = evaluate_model(network, part, size_px=side_px, threshold=threshold, progress=Bar("tiles"))
        for line in score_lines(scores):
            say(line)
        say(f"scored: {what}")
    grounds: list[EmptyGround] = []
    if false_alarms_per_km2 is not None:
        look = Look(
            wanted_per_km2=false_alarms_per_km2,
            simulated_km2=empty_km2,
            recordings=tuple(recordings or ()),
            stretches=stretches,
            crs=crs,
        )
        on_cpu = is_on_cpu(network, settings.device)
        grounds = look.grounds(network, on_cpu=on_cpu, progress=Bar("pings"))
    points = [ground.operating_point(false_alarms_per_km2 or 1.0) for ground in grounds]
    for point in points:
        say(f"{point.wanted_per_km2:g} false alarms per km2: {point.as_text()}")
    if keep and grounds:
        say(f"kept in {keep_beside(model, grounds)}")
    if json_file is not None:
        found = evaluation_dict(scores, grounds, points)
        write_json(json_file, {**found, "split": what, "model": network.description})
    if report is not None:
        page = evaluation_page(
            model=network.description, what=what, scores=scores, grounds=grounds, points=points
        )
        write_text(report, page)
        say(f"report: {report}")
