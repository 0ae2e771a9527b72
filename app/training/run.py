"""A training from settings to figures: choose the device, prepare, train, score, export, describe."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.config.settings import Settings
from app.dataset.read import read_tiles
from app.dataset.split import split_by_group
from app.dataset.split_report import SplitReport, split_report
from app.device.choice import choose_device
from app.device.determinism import make_deterministic
from app.device.plan import DevicePlan, plan_device
from app.errors import SettingsError
from app.evaluation.score import Scores
from app.exit_codes import ExitCode
from app.seal.sealed_mirror import SealedMirror
from app.telemetry.notify import Notifier
from app.telemetry.progress import Bar, Progress
from app.training.batch_probe import measured_batch_size
from app.training.finish import finish_run
from app.training.job import finished, override, prepare_job
from app.training.limits import Limits
from app.training.loop import TrainJob, train
from app.training.notices import Notices
from app.training.page import write_run_page
from app.training.provider_notices import notices_of
from app.training.recipe import TrainConfig, recipe
from app.training.run_folder import RunFolder
from app.training.run_log import RunLog


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """What the command line says beyond the settings; None means not said."""

    run: Path
    resume: bool = True
    skip_bad: bool = False
    batch_size: str | None = None
    """A number, or `auto`."""
    val_fraction: float | None = None
    start_from: str | None = None
    dtype: str | None = None
    threads: int | None = None
    workers: int | None = None
    compile: bool | None = None
    deterministic: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    """How a training ended, for people and programs."""

    code: ExitCode
    reason: str
    run: str
    model: str | None
    epochs: int
    images_per_s: float
    scores: Scores | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self),
            "code": int(self.code),
            "scores": self.scores.as_dict() if self.scores else None,
        }

    def as_text(self) -> str:
        """A few lines for the terminal."""
        lines = [f"{self.reason}; run in {self.run} (exit code {int(self.code)})"]
        if self.scores is not None:
            s = self.scores
            lines.append(
                f"validation: AP50 {s.ap50:.3f}, AP50:95 {s.ap50_95:.3f}, precision {s.precision:.3f}, "
                f"recall {s.recall:.3f} at confidence {s.threshold:.2f} ({s.boxes} boxes, {s.images} tiles)"
            )
        if self.images_per_s:
            lines.append(f"speed: {self.images_per_s:.1f} images/s")
        if self.code in (ExitCode.INTERRUPTED, ExitCode.DEADLINE, ExitCode.BUDGET, ExitCode.IDLE):
            lines.append("go on with the same command: it takes up the newest checkpoint")
        elif self.model:
            lines.append(f"next: python -m app detect SURVEY.xtf --model {self.run} --out contacts")
        return "\n".join(lines)


def run_training(
    settings: Settings,
    request: TrainRequest,
    *,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    sealed: SealedMirror | None = None,
) -> TrainResult:
    """Train as asked, then score, export and describe the best model; tell whoever wants messages how it ended.

    Args:
        config: instead of the one that the settings' recipe names.
        sealed: where the run is mirrored sealed, instead of the settings' address; see `sealed.run_sealed`.
    """
    started_s = time.monotonic()
    progress = progress or Bar("images")
    run = RunFolder(request.run, mirror=sealed or settings.cloud.run_url)
    progress = log = RunLog(settings, run, progress)
    if request.resume and finished(run):
        log.close()
        return TrainResult(
            code=ExitCode.DONE,
            reason="this run is complete already; give another --run to train again",
            run=str(run.path),
            model=str(run.best_model),
            epochs=0,
            images_per_s=0.0,
            scores=None,
        )
    limits = _limits(settings)
    notifier = Notifier(settings.cloud.notify_url, note=progress.note)
    try:
        job = replace(
            _job(settings, request, config, limits, run, progress), notifier=notifier, started_s=started_s
        )
        log.begun(job)
        return _run_job(job, progress)
    except Exception as error:
        usd = max(run.spent_usd(), limits.spent(time.monotonic() - started_s))
        Notices(run, notifier, limits).failed(error, usd=usd)
        log.failed(error)
        raise
    finally:
        notifier.close()
        log.close()


def _job(
    settings: Settings,
    request: TrainRequest,
    config: TrainConfig | None,
    limits: Limits,
    run: RunFolder,
    progress: Progress,
) -> TrainJob:
    plan = plan_of(settings, request, progress)
    config = _config(settings, request, config or recipe(settings.recipe), plan, progress)
    if settings.data is None:
        raise SettingsError("a training needs labelled tiles: give --data FOLDER")
    job = prepare_job(
        data=Path(settings.data),
        run=run,
        config=config,
        plan=plan,
        limits=limits,
        resume=request.resume,
        skip_bad=request.skip_bad,
        progress=progress,
    )
    return replace(
        job,
        idle_minutes=settings.cloud.idle_minutes,
        provider_notices=notices_of(settings.cloud.provider, settings.cloud.metadata_url),
    )


def _run_job(job: TrainJob, progress: Progress) -> TrainResult:
    run = job.run
    outcome = train(job, progress)
    scores = outcome.scores
    if outcome.code is ExitCode.DONE and run.best_model.is_file():
        scores = finish_run(job, progress)
    write_run_page(run)
    run.write_manifest(complete=outcome.code is ExitCode.DONE)
    for note in run.notes:
        progress.note(note)
    if outcome.code is ExitCode.DONE and job.notifier is not None:
        usd = job.limits.spent(time.monotonic() - job.started_s)
        Notices(run, job.notifier, job.limits).ended(outcome.code, outcome.reason, usd=usd)
    return TrainResult(
        code=outcome.code,
        reason=outcome.reason,
        run=str(run.path),
        model=str(run.best_model) if run.best_model.is_file() else None,
        epochs=outcome.epochs,
        images_per_s=outcome.images_per_s,
        scores=scores,
    )


def show_split(settings: Settings, request: TrainRequest) -> SplitReport:
    """The split that a training with these settings would make."""
    config = override(recipe(settings.recipe), seed=settings.seed, val_fraction=request.val_fraction)
    tiles, _ = read_tiles(Path(settings.data or "."), skip_bad=request.skip_bad)
    return split_report(tiles, split_by_group(tiles, val_fraction=config.val_fraction, seed=config.seed))


def plan_of(settings: Settings, request: TrainRequest | None, progress: Progress) -> DevicePlan:
    """Choose and set up the device, telling which and why."""
    choice = choose_device(settings.device, fallback=settings.fallback)
    for warning in choice.warnings:
        progress.note(f"warning: {warning}")
    section = settings.devices.of(choice.device.type)
    told = {name: getattr(request, name, None) for name in ("dtype", "threads", "workers", "compile")}
    values = {k: v if v is not None else getattr(section, k, None) for k, v in told.items()}
    plan = plan_device(choice, **values, tf32=getattr(section, "tf32", None))
    plan.apply()
    if request is not None and request.deterministic:
        make_deterministic()
    progress.note(
        f"device {plan.device} ({plan.name}): {choice.reason}; "
        f"{str(plan.dtype).removeprefix('torch.')}, because {plan.reasons['dtype']}"
    )
    return plan


def _config(
    settings: Settings, request: TrainRequest, config: TrainConfig, plan: DevicePlan, progress: Progress
) -> TrainConfig:
    config = override(
        config,
        epochs=settings.epochs,
        size_px=settings.size_px,
        seed=settings.seed,
        val_fraction=request.val_fraction,
        start_from=request.start_from,
        checkpoint_minutes=settings.cloud.checkpoint_minutes,
        batch_size=settings.devices.of(plan.device.type).batch_size,
    )
    if request.batch_size == "auto":
        limit = settings.devices.of(plan.device.type).memory_limit
        size, reason = measured_batch_size(config, plan, memory_limit=limit)
        progress.note(f"batch size {size}: {reason}")
        return override(config, batch_size=size)
    if request.batch_size is not None:
        if not request.batch_size.isdecimal() or int(request.batch_size) < 1:
            raise SettingsError(f"--batch-size {request.batch_size} must be auto or a whole number from 1 on")
        return override(config, batch_size=int(request.batch_size))
    return config


def _limits(settings: Settings) -> Limits:
    cloud = settings.cloud
    try:
        return Limits(
            max_hours=cloud.max_hours,
            max_usd=cloud.max_usd,
            spent_usd=cloud.spent_usd,
            price_usd_per_h=cloud.price_usd_per_h,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error
