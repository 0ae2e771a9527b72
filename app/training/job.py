"""From what the user asked for to a job that can be trained: new, or continued where it stopped."""

import time
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from app.dataset.read import read_tiles
from app.dataset.split import Split, split_by_group
from app.dataset.tiles import TileSet
from app.detector.model_file import read_model
from app.detector.runtimes import model_path
from app.device.gpu_use import GpuProbe
from app.device.plan import DTYPES, SET_BY_USER, DevicePlan
from app.errors import RunError
from app.telemetry.interruption_notices.notice import NoticeSource
from app.telemetry.notify import Notifier
from app.telemetry.progress import Progress
from app.training.limits import Limits
from app.training.manifest import is_complete
from app.training.recipe import TrainConfig
from app.training.record import check_same_data, config_of, make_record
from app.training.run_folder import RunFolder
from app.training.team import Team


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainJob:
    """What to train, on what, and until when."""

    config: TrainConfig
    tiles: TileSet
    split: Split
    plan: DevicePlan
    run: RunFolder
    limits: Limits
    idle_minutes: float | None = None
    """An accelerator that does nothing for so long ends the run."""
    notifier: Notifier | None = None
    probe: GpuProbe | None = None
    """Stands in for the driver's; None looks for one."""
    provider_notices: NoticeSource | None = None
    """Asks the cloud whether it is about to take this machine; None asks nobody."""
    started_s: float = field(default_factory=time.monotonic)
    """Since when hours and dollars count, by the monotonic clock."""
    team: Team = field(default_factory=Team)
    """The processes that train together; all but the first have a run folder that keeps nothing."""


def prepare_job(
    *,
    data: Path,
    run: RunFolder,
    config: TrainConfig,
    plan: DevicePlan,
    limits: Limits,
    resume: bool,
    skip_bad: bool,
    progress: Progress,
) -> TrainJob:
    """Read the data, then begin a run or take up the one in the folder.

    Args:
        config: of a new run; a run that is taken up keeps its own, batch size included.
        limits: what a run that is taken up has spent already counts, even where nobody told.
        resume: whether a run that is already in the folder (or its mirror) goes on.

    Raises:
        DatasetError: see `read_tiles`.
        RunError: the folder holds a run and `resume` is false, or a run of other data or another version.
        ModelError: the model to start from cannot be read.
        OutputError: the folder cannot be written.
    """
    run.require_writable()
    run.clear_leftovers()
    if resume:
        run.restore()
    if run.exists and not resume:
        raise RunError(
            f"{run.path} already holds a run; give another --run, or take it up with --resume auto"
        )
    tiles, left_out = read_tiles(data, skip_bad=skip_bad)
    for line in left_out:
        progress.note(f"left out: {line}")
    if run.exists:
        record = run.read_record()
        began = config_of(record, str(run.path))
        kept = _kept(began, config)
        if kept:
            progress.note(
                f"{run.path} was begun with {kept}: going on with that; other values need a new --run"
            )
        config, split = began, check_same_data(record, tiles, str(run.path))
        plan = plan_as_begun(plan, record)
    else:
        if config.start_from is not None:
            # Before the run is begun: it would go on asking for what cannot be read.
            read_model(model_path(config.start_from, "torch"))
        split = split_by_group(tiles, val_fraction=config.val_fraction, seed=config.seed)
        for line in _without_objects(tiles, split):
            progress.note(line)
        run.write_record(make_record(config, tiles, split, plan))
    return TrainJob(
        config=config,
        tiles=tiles,
        split=split,
        plan=plan,
        run=run,
        limits=limits.counting(run.spent_usd()),
    )


def _without_objects(tiles: TileSet, split: Split) -> list[str]:
    """Warnings of parts whose tiles are all background: few groups cannot be dealt as one would like."""
    parts = (
        ("training", split.train, "nothing can be learned"),
        ("validation", split.val, "every epoch scores 0, and the last one is kept"),
    )
    return [
        f"warning: no tile of the {name} part holds an object, so that {then}; another --val-fraction or --seed "
        "divides the groups otherwise"
        for name, indices, then in parts
        if not any(len(tiles.tiles[index].labels) for index in indices)
    ]


def _kept(began: TrainConfig, asked: TrainConfig) -> str:
    """What a run has otherwise than it is now asked for; empty where nothing."""
    if began.name != asked.name:
        return f"recipe {began.name}, not {asked.name}"
    pairs = [(f.name, getattr(began, f.name), getattr(asked, f.name)) for f in fields(TrainConfig)]
    return ", ".join(
        f"another {name}" if is_dataclass(old) else f"{name} {old}, not {new}"
        for name, old, new in pairs
        if old != new
    )


def plan_as_begun(plan: DevicePlan, record: dict[str, Any]) -> DevicePlan:
    """With the number format that the run was begun with, on the same CPU: its choice is measured there, and a
    run must go on bit for bit. What the user sets, and another device, have their own way.
    """
    told = record.get("device_plan", {})
    elsewhere = plan.device.type != "cpu" or (told.get("device"), told.get("name")) != ("cpu", plan.name)
    if elsewhere or told.get("dtype") not in DTYPES or plan.reasons.get("dtype") == SET_BY_USER:
        return plan
    return replace(plan, dtype=DTYPES[told["dtype"]])


def finished(run: RunFolder) -> bool:
    """Whether the run in the folder has done all it was begun for."""
    try:
        return run.exists and is_complete(run.path)
    except RunError:
        # Killed before it could write its manifest, or in the middle of a disk's last breath: going on writes it anew.
        return False


def override(config: TrainConfig, **values: object) -> TrainConfig:
    """A recipe with the values that the user gave; None means not given."""
    given = {name: value for name, value in values.items() if value is not None}
    return replace(config, **given)  # type: ignore[arg-type]
