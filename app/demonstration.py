"""The demo: one simulated survey to learn from, another one to be tested on, a report at the end."""

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.config.settings import load_settings
from app.dataset.survey_import import ImportOptions, import_survey
from app.detector.runtimes import load_runtime
from app.device.cores import usable_cores
from app.errors import OutputError, RunError
from app.evaluation.pd_far import PdFar, Position, ScoredPosition, pd_against_false_alarms
from app.report.write import write_report
from app.sonar.simulator.survey import SimulatedSurvey, SurveyPlan, simulate_survey
from app.storage import write_text
from app.survey.detect import detect_survey
from app.survey.options import SurveyOptions
from app.survey.result import SurveyResult
from app.telemetry.progress import Progress
from app.training.recipe import TrainConfig, fine_tune
from app.training.request import TrainRequest
from app.training.run import run_training

LEFT = ("survey-1", "survey-2", "tiles", "run", "contacts")
MARK = ".sonarstack-demo"
LINES, PINGS = 2, 1600
EPOCHS = 6
MATCH_M = 5.0
"""A contact this near to an object found it; wrecks are longer than that, their middle is what counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """What the demo ends with."""

    report: str
    ap50: float
    pings_per_s: float
    laid: int
    """Objects in the second survey that a sonar could see."""
    found: int
    false_alarms: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def run_demo(out: Path, *, device: str, seed: int, progress: Progress) -> DemoResult:
    """Run everything into `out`; what an earlier demo left there is replaced.

    Raises:
        DeviceError, OutputError: the device is missing; the folder cannot be written, or holds what no demo left.
        RunError: the training was interrupted.
    """
    given = {"device": device, "data": str(out / "tiles"), "seed": seed}
    settings = load_settings(variables={}, overrides=given).settings
    _clear(out)
    first = simulate_survey(SurveyPlan(seed=seed, lines=LINES, pings=PINGS), out / "survey-1", progress)
    import_survey(
        first.files, first.truth_geojson, out / "tiles", options=ImportOptions(seed=seed), progress=progress
    )
    training = run_training(settings, TrainRequest(run=out / "run"), config=_recipe(seed), progress=progress)
    if training.code or training.scores is None:
        raise RunError(f"the demo's training ended early ({training.reason}); run it again")
    second = simulate_survey(SurveyPlan(seed=seed + 1, lines=1, pings=PINGS), out / "survey-2", progress)
    runtime = load_runtime(out / "run", device=device, threads=1)
    survey = detect_survey(second.files, runtime, SurveyOptions(workers=usable_cores()), progress)
    report = write_report(survey, out / "contacts")
    point = contacts_against_truth(survey, second).at_threshold(0.0)
    return DemoResult(
        report=str(report.html),
        ap50=training.scores.ap50,
        pings_per_s=survey.pings / survey.seconds,
        laid=len(second.truth),
        found=point.found,
        false_alarms=point.false_alarms,
    )


def _clear(out: Path) -> None:
    """Remove what an earlier demo left, and nothing else: the names are such as people give their own folders."""
    there = [name for name in LEFT if (out / name).exists()]
    if there and not (out / MARK).is_file():
        raise OutputError(
            f"{out} holds {', '.join(there)} that no demo is known to have left; give another --out, or remove them"
        )
    for name in there:
        shutil.rmtree(out / name)
    write_text(
        out / MARK, "What `python -m app demo` made lies beside this file; the next demo here replaces it.\n"
    )


def _recipe(seed: int) -> TrainConfig:
    """A short fine-tuning of the shipped weights."""
    return replace(fine_tune(), name="demo", epochs=EPOCHS, evaluate_every=3, patience_epochs=None, seed=seed)


def contacts_against_truth(survey: SurveyResult, simulated: SimulatedSurvey) -> PdFar:
    """How many of the objects laid the contacts found, and how many contacts are none, at any confidence."""
    targets = [Position(longitude=t.longitude, latitude=t.latitude) for t in simulated.truth]
    scored = [
        ScoredPosition(longitude=c.longitude, latitude=c.latitude, score=c.score)
        for c in survey.contacts
        if c.longitude is not None and c.latitude is not None
    ]
    return pd_against_false_alarms(scored, targets, area_km2=survey.area_km2 or 1.0, radius_m=MATCH_M)
