"""A training from settings to figures: choose the device, prepare, train, score, export, describe."""

import time
from dataclasses import replace
from pathlib import Path

from app.config.settings import Settings
from app.dataset.read import read_tiles
from app.dataset.split import split_by_group
from app.dataset.split_report import SplitReport, split_report
from app.errors import SettingsError, SonarstackError
from app.exit_codes import ExitCode
from app.seal.sealed_mirror import SealedMirror
from app.telemetry.notify import Notifier
from app.telemetry.progress import Bar, Progress, Silent
from app.training.choices import limits_of, plan_of, recipe_of
from app.training.finish import finish_run
from app.training.follower import Told, following_job
from app.training.job import TrainJob, finished, override, prepare_job
from app.training.limits import Limits
from app.training.loop import train
from app.training.notices import Notices
from app.training.page import write_run_page
from app.training.provider_notices import notices_of
from app.training.recipe import TrainConfig, recipe
from app.training.request import TrainRequest, TrainResult
from app.training.run_folder import RunFolder
from app.training.run_log import RunLog
from app.training.team import LostProcessError, Team


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
    limits = limits_of(settings, team, hours_before=before_s / 3600)
    if not team.first:
        return _follow(settings, request, config, limits, team, started_s)
    run = RunFolder(request.run, mirror=sealed or settings.cloud.run_url)
    progress = log = RunLog(settings, run, progress)
    notifier = Notifier(settings.cloud.notify_url, note=progress.note)
    try:
        if team.from_first(request.resume and _is_finished(run), "looks into the run folder"):
            return _complete(run, request)
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
    config = recipe_of(settings, request, config or recipe(settings.recipe), plan, progress, team)
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
        return _complete(folder, request)
    plan = plan_of(settings, request, Silent(), team)
    if request.batch_size == "auto":
        recipe_of(settings, request, config or recipe(settings.recipe), plan, Silent(), team)
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


def _complete(run: RunFolder, request: TrainRequest) -> TrainResult:
    return TrainResult(
        code=ExitCode.DONE,
        reason=f"this run is complete already; {request.anew}",
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
