"""A training from settings to figures: choose the device, prepare, train, score, export, describe."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.config.settings import Settings
from app.dataset.read import read_tiles
from app.dataset.split import split_by_group
from app.dataset.split_report import SplitReport, split_report
from app.device.choice import DeviceChoice, choose_device
from app.device.cores import usable_cores
from app.device.determinism import make_deterministic
from app.device.plan import DevicePlan, plan_device
from app.errors import SettingsError, SonarstackError
from app.evaluation.score import Scores
from app.exit_codes import ExitCode
from app.seal.sealed_mirror import SealedMirror
from app.telemetry.notify import Notifier
from app.telemetry.progress import Bar, Progress, Silent
from app.training.batch_probe import measured_batch_size
from app.training.finish import finish_run
from app.training.follower import Told, following_job
from app.training.job import TrainJob, finished, override, prepare_job
from app.training.limits import Limits
from app.training.loop import train
from app.training.notices import Notices
from app.training.page import write_run_page
from app.training.provider_notices import notices_of
from app.training.recipe import TrainConfig, recipe
from app.training.run_folder import RunFolder
from app.training.run_log import RunLog
from app.training.team import LostProcessError, Team


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
    started_s: float | None = None
    """Since when hours and dollars count, by the monotonic clock; None for the call of the training."""


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
    team: Team | None = None,
) -> TrainResult:
    """Train as asked, then score, export and describe the best model; tell whoever wants messages how it ended.

    Args:
        config: instead of the one that the settings' recipe names.
        sealed: where the run is mirrored sealed, instead of the settings' address; see `sealed.run_sealed`.
        team: the processes that train together, each of which calls this; this one alone if None.
    """
    team = team or Team()
    started_s, before_s = team.clock(time.monotonic() if request.started_s is None else request.started_s)
    progress = (progress or Bar("images")) if team.first else Silent()
    request = replace(request, resume=request.resume or team.restarts > 0)
    limits = _limits(settings, team, hours_before=before_s / 3600)
    if not team.first:
        return _follow(settings, request, config, limits, team, started_s)
    run = RunFolder(request.run, mirror=sealed or settings.cloud.run_url)
    progress = log = RunLog(settings, run, progress)
    notifier = Notifier(settings.cloud.notify_url, note=progress.note)
    try:
        if team.from_first(request.resume and _is_finished(run), "looks into the run folder"):
            return _complete(run)
        job = replace(
            _job(settings, request, config, limits, run, progress, team),
            notifier=notifier,
            started_s=started_s,
        )
        log.begun(job)
        team.from_first(Told.of(job) if team.size > 1 else None, "reads the data")
        return _run_job(job, progress)
    except Exception as error:
        expected = isinstance(error, SonarstackError) and not isinstance(error, LostProcessError)
        if team.restarts_left and not expected:
            raise  # not the end: all are started again
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
    team: Team,
) -> TrainJob:
    plan = plan_of(settings, request, progress, team)
    config = _config(settings, request, config or recipe(settings.recipe), plan, progress, team)
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
    if job.config.batch_size % team.size:
        raise SettingsError(
            f"batch size {job.config.batch_size} cannot be dealt evenly to {team.size} processes; give another "
            "--nproc, or a new --run with another --batch-size"
        )
    return replace(
        job,
        team=team,
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


def _follow(
    settings: Settings,
    request: TrainRequest,
    config: TrainConfig | None,
    limits: Limits,
    team: Team,
    started_s: float,
) -> TrainResult:
    """What every process but the first does: the same steps, and nothing else."""
    folder = RunFolder(request.run)
    if team.from_first(False, "looks into the run folder"):
        return _complete(folder)
    plan = plan_of(settings, request, Silent(), team)
    if request.batch_size == "auto":
        _config(settings, request, config or recipe(settings.recipe), plan, Silent(), team)
    told = team.from_first(None, "reads the data")
    assert isinstance(told, Told)
    job = following_job(
        told,
        data=Path(settings.data or "."),
        run=request.run,
        plan=plan,
        limits=limits,
        skip_bad=request.skip_bad,
        team=team,
    )
    if team.local_rank == 0:  # of another machine, which may be taken on its own
        notices = notices_of(settings.cloud.provider, settings.cloud.metadata_url)
        job = replace(job, provider_notices=notices)
    outcome = train(replace(job, started_s=started_s), Silent())
    return TrainResult(
        code=outcome.code,
        reason=outcome.reason,
        run=str(request.run),
        model=None,
        epochs=outcome.epochs,
        images_per_s=outcome.images_per_s,
        scores=None,
    )


def _is_finished(run: RunFolder) -> bool:
    """Here, or on another machine whose copy is brought home."""
    run.restore()
    return finished(run)


def _complete(run: RunFolder) -> TrainResult:
    return TrainResult(
        code=ExitCode.DONE,
        reason="this run is complete already; another --run trains again, and goes on from this one with --start-from",
        run=str(run.path),
        model=str(run.best_model),
        epochs=0,
        images_per_s=0.0,
        scores=None,
    )


def show_split(settings: Settings, request: TrainRequest) -> SplitReport:
    """The split that a training with these settings would make."""
    config = override(recipe(settings.recipe), seed=settings.seed, val_fraction=request.val_fraction)
    tiles, _ = read_tiles(Path(settings.data or "."), skip_bad=request.skip_bad)
    return split_report(tiles, split_by_group(tiles, val_fraction=config.val_fraction, seed=config.seed))


def plan_of(
    settings: Settings, request: TrainRequest | None, progress: Progress, team: Team | None = None
) -> DevicePlan:
    """Choose and set up the device, telling which and why; of several processes each its own."""
    team = team or Team()
    choice = choose_device(settings.device, fallback=settings.fallback)
    if team.size > 1 and choice.device.index is not None:
        choice = _own_device(settings, choice, team)
    for warning in choice.warnings:
        progress.note(f"warning: {warning}")
    section = settings.devices.of(choice.device.type)
    told = {name: getattr(request, name, None) for name in ("dtype", "threads", "workers", "compile")}
    values = {k: v if v is not None else getattr(section, k, None) for k, v in told.items()}
    if team.local_size > 1:
        cores = max(1, usable_cores() // team.local_size)
        values |= {"threads": values["threads"] or cores, "workers": values["workers"] or min(cores, 8)}
    plan = plan_device(choice, **values, tf32=getattr(section, "tf32", None))
    plan.apply()
    if request is not None and request.deterministic:
        make_deterministic()
    progress.note(
        f"device {plan.device} ({plan.name}): {choice.reason}; "
        f"{str(plan.dtype).removeprefix('torch.')}, because {plan.reasons['dtype']}"
    )
    return plan


def _own_device(settings: Settings, choice: DeviceChoice, team: Team) -> DeviceChoice:
    if ":" in settings.device:
        raise SettingsError(
            f"--device {settings.device} is one device and {team.local_size} processes want one each; "
            f"give --device {choice.device.type}, or leave --nproc out"
        )
    own = choose_device(f"{choice.device.type}:{team.local_rank}")
    return replace(own, reason=f"{choice.reason}; one for each of {team.local_size} processes here")


def _config(
    settings: Settings,
    request: TrainRequest,
    config: TrainConfig,
    plan: DevicePlan,
    progress: Progress,
    team: Team,
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
        size = team.least(size) * team.size
        progress.note(f"batch size {size}: {reason}" + (" on each device" if team.size > 1 else ""))
        return override(config, batch_size=size)
    if request.batch_size is not None:
        if not request.batch_size.isdecimal() or int(request.batch_size) < 1:
            raise SettingsError(f"--batch-size {request.batch_size} must be auto or a whole number from 1 on")
        return override(config, batch_size=int(request.batch_size))
    return config


def _limits(settings: Settings, team: Team, *, hours_before: float) -> Limits:
    """Of the run on these machines; what they did before a restart counts."""
    cloud = settings.cloud
    price = cloud.price_usd_per_h * team.nodes
    try:
        return Limits(
            max_hours=cloud.max_hours,
            hours_before=hours_before,
            max_usd=cloud.max_usd,
            spent_usd=cloud.spent_usd + price * hours_before,
            price_usd_per_h=price,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error
