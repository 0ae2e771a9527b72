"""The training as every process but the first sees it: what is trained comes from the first, and nothing is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.dataset.read import read_tiles, tileset_hash
from app.dataset.split import Split
from app.device.plan import DevicePlan
from app.errors import RunError
from app.training.job import TrainJob
from app.training.limits import Limits
from app.training.recipe import TrainConfig
from app.training.run_folder import RunFolder
from app.training.team import Team


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the first process tells the others before they begin."""

    config: TrainConfig
    data_sha256: str
    split: dict[str, list[str]]

    @classmethod
    def of(cls, job: TrainJob) -> "Told":
        """What the others need to know of a job."""
        split = job.split.as_names(job.tiles)
        return cls(config=job.config, data_sha256=tileset_hash(job.tiles), split=split)


class Onlooker(RunFolder):
    """A run folder that keeps nothing: on another machine there is none, and two writers would harm each other."""

    def newest_checkpoint(self) -> Path | None:
        """The first process reads it for all."""
        return None

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Nothing."""

    def save_checkpoint(self, _step: int, _write: Callable[[BinaryIO], None], *, keep: int) -> Path:  # noqa: ARG002
        """Nothing."""
        return self.path

    def write_manifest(self, *, complete: bool) -> None:
        """Nothing."""


def following_job(
    told: Told, *, data: Path, run: Path, plan: DevicePlan, limits: Limits, skip_bad: bool, team: Team
) -> TrainJob:
    """The same job for another process, on its own copy of the data.

    Raises:
        DatasetError: see `read_tiles`.
        RunError: the data here is not the first process's.
    """
    tiles, _ = read_tiles(data, skip_bad=skip_bad)
    if tileset_hash(tiles) != told.data_sha256:
        raise RunError(
            f"{data} holds other tiles for process {team.rank} than for the first one; give every machine the same data"
        )
    return TrainJob(
        config=told.config,
        tiles=tiles,
        split=Split.from_names(told.split, tiles),
        plan=plan,
        run=Onlooker(run),
        limits=limits,
        team=team,
    )
