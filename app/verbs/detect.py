"""python -m app detect: surveys in, contacts and a report out."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def detect(
    surveys: Annotated[
        list[Path], typer.Argument(help="Recordings (.xtf, or pictures), or folders of them.")
    ],
    out: options.OutFolder = Path("contacts"),
    model: Annotated[str, typer.Option(help="shipped, a run's folder, or a model file.")] = "shipped",
    runtime: options.Runtime = "quick",
    device: options.Device = None,
    fallback: options.Fallback = None,
    min_score: Annotated[float | None, typer.Option(help="Confidence from which a contact counts.")] = None,
    false_alarms_per_km2: options.FalseAlarms = None,
    crs: Annotated[str | None, typer.Option(help="Grid of positions in metres, such as EPSG:32619.")] = None,
    range_m: Annotated[
        float | None, typer.Option(help="Slant range, where the recording does not say it.")
    ] = None,
    ping_spacing_m: Annotated[
        float | None, typer.Option(help="Metres between pings, without positions.")
    ] = None,
    layout: Annotated[str, typer.Option(help="Of pictures: both, port or starboard.")] = "both",
    pixel_m: Annotated[
        float | None, typer.Option(help="Pixel on the seabed instead of the automatic one.")
    ] = None,
    pair: Annotated[
        int | None, typer.Option(help="Channel pair, counted from 0; else the highest frequency.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="CPU cores to use; all without it.")] = None,
    average_flips: options.AverageFlips = False,
    environment: options.Environment = None,
    as_json: options.Json = False,
) -> None:
    """Find contacts in recordings; writes contacts.geojson, .csv, .kml and report.html."""
    from app.config.settings import load_settings
    from app.detector.flips import with_flips
    from app.device.cores import usable_cores
    from app.errors import SettingsError
    from app.report.write import write_report
    from app.storage import require_writable
    from app.survey.detect import detect_survey
    from app.survey.options import SurveyOptions
    from app.telemetry.progress import Bar
    from app.verbs.chosen_runtime import chosen_runtime, is_on_cpu, require_choice
    from app.verbs.console import say, say_json, warn
    from app.verbs.survey_files import recordings_in

    overrides = {"device": device, "fallback": fallback, "min_score": min_score, "crs": crs}
    settings = load_settings(environment, overrides=overrides).settings
    require_choice(runtime)
    files = recordings_in(surveys)
    require_writable(out)
    least = settings.min_score
    if false_alarms_per_km2 is not None:
        from app.verbs.false_alarms import kept_threshold

        if min_score is not None:
            raise SettingsError("--min-score and --false-alarms-per-km2 both set the confidence; give one")
        point = kept_threshold(model, false_alarms_per_km2)
        least = point.threshold
        warn(f"at most {false_alarms_per_km2:g} false alarms per km2: {point.as_text()}")
    survey = SurveyOptions()
    network = chosen_runtime(
        model,
        runtime,
        device=settings.device,
        fallback=settings.fallback,
        # On a CPU tiles go to the cores side by side, each computing alone: no core waits for another inside a
        # layer, which on a busy machine more than doubles the rate.
        threads=1,
        shape_BHW=(1, survey.tile_px, survey.widest_tile_px // 2),
    )
    if average_flips:
        network = with_flips(network)
    result = detect_survey(
        files,
        network,
        SurveyOptions(
            min_score=least,
            crs=settings.crs,
            range_m=range_m,
            ping_spacing_m=ping_spacing_m,
            layout=layout,
            pixel_m=pixel_m,
            channel_pair=pair,
            workers=(workers or usable_cores()) if is_on_cpu(network, settings.device) else 1,
        ),
        Bar("pings"),
    )
    for file in result.files:
        for warning in (*file.warnings, *((file.error,) if file.error else ())):
            warn(f"{file.source}: {warning}")
        if file.defects:
            warn(f"{file.source}: {file.damage}")
    paths = write_report(result, out)
    summary = {
        "contacts": len(result.contacts),
        "by_class": result.contacts_by_label(),
        "files": len(result.files),
        "failed": [f.source for f in result.failed],
        "damaged": {f.source: len(f.defects) for f in result.files if f.defects},
        "pings": result.pings,
        "seconds": round(result.seconds, 3),
        "pings_per_s": round(result.pings / max(result.seconds, 1e-9), 1),
        "report": str(paths.html),
        "geojson": str(paths.geojson),
    }
    if as_json:
        say_json(summary)
    else:
        found = ", ".join(f"{n} {label}" for label, n in result.contacts_by_label().items() if n) or "none"
        say(
            f"{len(result.contacts)} contacts ({found}) in {result.pings:,} pings of {len(result.files)} files"
        )
        say(f"{summary['pings_per_s']:,.0f} pings/s with {result.model}")
        say(f"report: {paths.html}")
    if result.failed:
        warn(
            f"{len(result.failed)} of {len(result.files)} files could not be read to their end; see the report"
        )
