"""MineDetectionPipeline: simulate or take data, train, evaluate, detect, report; the project's oldest public name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config.settings import LoadedSettings, Settings, load_settings
from app.dataset.remote import is_address, local_data
from app.dataset.simulated import write_simulated_tiles
from app.detector.runtimes import load_runtime
from app.device.cores import usable_cores
from app.device.manager import DeviceManager
from app.errors import EndedEarlyError, SettingsError
from app.evaluation.score import Scores
from app.exit_codes import ExitCode
from app.report.write import ReportPaths, write_report
from app.sonar.simulator.survey import SurveyPlan, simulate_survey
from app.survey.detect import detect_survey
from app.survey.options import SurveyOptions
from app.survey.result import SurveyResult
from app.telemetry.progress import Progress, Silent
from app.training.request import TrainRequest, TrainResult
from app.training.run import run_training

SIMULATED_TILES = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineResult:
    """What a whole pipeline gave."""

    training: TrainResult
    survey: SurveyResult
    report: ReportPaths

    @property
    def scores(self) -> Scores | None:
        """Of the best model on the validation part."""
        return self.training.scores


class MineDetectionPipeline:
    """The whole way from settings to a report.

    Example:
        MineDetectionPipeline("laptop").run()
        MineDetectionPipeline({"data": "tiles", "surveys": ["a.xtf"]}, device="auto").run()
    """

    def __init__(
        self,
        config: str | Path | dict[str, Any] | Settings | None = None,
        device: str = "cpu",
        *,
        progress: Progress | None = None,
    ) -> None:
        """Read the settings and choose the device.

        Args:
            config: name of an environment, path of a YAML file, settings as a dictionary or as an object; None
                takes the defaults and the SONARSTACK_* variables.
            device: cpu as it always was; auto, cuda, mps or xpu as the option.

        Raises:
            SettingsError: a setting is unknown or wrong.
            DeviceError: the device is not there.
        """
        self.settings = _settings(config, device)
        self.progress = progress or Silent()
        self.devices = DeviceManager(self.settings.device, fallback=self.settings.fallback)

    def run(self) -> PipelineResult:
        """Train, score, detect and report; everything lands in the settings' `out` folder.

        Raises:
            EndedEarlyError: the training ended before its model was good (limit, interruption).
        """
        out = Path(self.settings.out)
        training = self.train(out / "run")
        if training.code is not ExitCode.DONE or training.model is None:
            higher = " with a higher limit" if training.code is ExitCode.BUDGET else ""
            raise EndedEarlyError(
                f"training ended early ({training.reason}); run the same again{higher} to go on",
                training.code or ExitCode.FAILED,
            )
        survey = self.detect(Path(training.model), out)
        report = write_report(survey, out / "contacts")
        return PipelineResult(training=training, survey=survey, report=report)

    def train(self, run: Path) -> TrainResult:
        """Train on the settings' tiles, or on simulated ones."""
        settings = self.settings
        if settings.data is None:
            made = run.parent / "simulated-tiles"
            if not made.is_dir():
                write_simulated_tiles(made, SIMULATED_TILES, seed=settings.seed, progress=self.progress)
            settings = settings.model_copy(update={"data": str(made)})
        elif is_address(settings.data):
            here = local_data(settings.data, self.progress)
            settings = settings.model_copy(update={"data": str(here)})
        request = TrainRequest(run=run, anew="another --out trains again")
        return run_training(settings, request, progress=self.progress)

    def detect(self, model: Path, out: Path) -> SurveyResult:
        """Detect in the settings' surveys, or in a simulated one."""
        files = [Path(name) for name in self.settings.surveys]
        if not files:
            simulated = simulate_survey(
                SurveyPlan(seed=self.settings.seed, lines=1), out / "simulated-survey", self.progress
            )
            files = list(simulated.files)
        workers = usable_cores() if self.devices.device.type == "cpu" else 1
        options = SurveyOptions(min_score=self.settings.min_score, crs=self.settings.crs, workers=workers)
        runtime = load_runtime(model, device=str(self.devices.device), threads=1)
        return detect_survey(files, runtime, options, self.progress)


def _settings(config: str | Path | dict[str, Any] | Settings | None, device: str) -> Settings:
    if isinstance(config, Settings):
        return config.model_copy(update={"device": device}) if device != "cpu" else config
    if config is not None and not isinstance(config, str | Path | dict):
        raise SettingsError(
            f"config is a {type(config).__name__}; give a name, a path, a dictionary or Settings"
        )
    # 'cpu' is the default of the argument: a device that the settings name stays then.
    overrides: dict[str, Any] = {} if device == "cpu" else {"device": device}
    if isinstance(config, dict):
        overrides = {**config, **overrides}
    loaded: LoadedSettings = load_settings(
        None if config is None or isinstance(config, dict) else str(config), overrides=overrides
    )
    return loaded.settings
