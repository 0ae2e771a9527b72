"""python main.py: the whole pipeline from a settings file, as it was always called."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options
from app.verbs.entry import run_entry


def pipeline(
    config: options.Environment = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu; without it the CPU.")] = "cpu",
    data: Annotated[Path | None, typer.Option(help="Labelled tiles; simulated without them.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the run and the report.")] = None,
) -> None:
    """Train, evaluate, detect and report, on simulated data unless the settings name your own."""
    from app.config.settings import load_settings
    from app.pipeline import MineDetectionPipeline
    from app.telemetry.progress import Bar
    from app.verbs.console import say

    overrides = {
        "device": None if device == "cpu" else device,
        "data": str(data) if data else None,
        "out": str(out) if out else None,
    }
    settings = load_settings(config, overrides=overrides).settings
    result = MineDetectionPipeline(settings, progress=Bar()).run()
    say(result.training.as_text())
    say(f"{len(result.survey.contacts)} contacts in {result.survey.pings:,} pings")
    say(f"report: {result.report.html}")


def main() -> None:
    """Entry of main.py."""
    run_entry(lambda: typer.run(pipeline))
