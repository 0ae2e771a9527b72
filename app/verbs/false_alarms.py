"""What `evaluate --false-alarms-per-km2` looks at, and where what it finds is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.detector.detections import Runtime
from app.detector.runtimes import model_path
from app.device.cores import usable_cores
from app.evaluation.false_alarms import EmptyGround, FalseAlarmPoint, poisson_upper
from app.survey.empty_ground import read_stretches, recorded_ground, simulated_ground
from app.survey.known_alarms import keep_alarms, threshold_for
from app.survey.options import SurveyOptions
from app.telemetry.progress import Progress
from app.training.run_folder import RunFolder
from app.verbs.survey_files import recordings_in

MOST_SIMULATED_KM2 = 1.0
"""Without a wish no more is simulated; at two cores that is some two minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Where to look for false alarms."""

    wanted_per_km2: float
    simulated_km2: float | None = None
    """None: enough for the wanted rate, up to `MOST_SIMULATED_KM2`; 0 simulates nothing."""
    recordings: Sequence[Path] = ()
    stretches: Path | None = None
    crs: str | None = None

    def grounds(self, network: Runtime, *, on_cpu: bool, progress: Progress) -> list[EmptyGround]:
        """Every ground, with what the model said there."""
        # Before minutes of simulation: a mistyped name is the most common mistake.
        files = recordings_in(self.recordings)
        stretches = read_stretches(self.stretches) if self.stretches is not None else ()
        options = SurveyOptions(crs=self.crs, workers=usable_cores() if on_cpu else 1)
        found: list[EmptyGround] = []
        area = self.simulated_km2
        if area is None:
            area = min(MOST_SIMULATED_KM2, poisson_upper(0) / self.wanted_per_km2)
        if area > 0:
            found.append(simulated_ground(network, options, area_km2=area, progress=progress))
        if files:
            found.append(recorded_ground(files, network, options, stretches=stretches, progress=progress))
        return found


def keep(model: str, grounds: Sequence[EmptyGround]) -> Path:
    """Keep what was found beside the model; of a run its manifest is written anew."""
    from app.training.job import finished  # imports torch, which `detect` does without

    beside = keep_alarms(model_file(model), grounds)
    run = RunFolder(Path(model))
    if run.exists:
        run.write_manifest(complete=finished(run))
    return beside


def kept_threshold(model: str, wanted_per_km2: float) -> FalseAlarmPoint:
    """What is kept beside the model; see `threshold_for`."""
    return threshold_for(model_file(model), wanted_per_km2)


def model_file(model: str) -> Path:
    """The file that stands for a model whatever runtime it is used with."""
    path = Path(model)
    return path if path.is_file() else model_path(model, "torch")
