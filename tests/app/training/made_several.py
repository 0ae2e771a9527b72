"""Trainings by two processes with something changed in each of them; a program of its own: HOW DATA RUN START."""

import sys
from pathlib import Path

import torch

from app.config.launch import launched
from app.config.settings import Settings
from app.training import launch, optimiser
from app.training.launch import Processes, train_by_several, work_for_agent
from app.training.notes import Ended
from app.training.request import TrainRequest, TrainResult
from app.training.session import Session


def exact_steps(settings: Settings, request: TrainRequest) -> TrainResult | Ended:
    """As `work_for_agent`, without the shortcut that takes rounding errors further in the first steps."""
    optimiser._by_gram = optimiser._newton_schulz
    return work_for_agent(settings, request)


def short_memory(settings: Settings, request: TrainRequest) -> TrainResult | Ended:
    """As `work_for_agent`; the second process's device is too small in the first attempt."""
    place = launched()
    assert place is not None
    if place.rank == 1 and not place.restarts:

        def full(_self: Session, _batch: object) -> dict[str, float]:
            raise torch.OutOfMemoryError("CUDA out of memory")

        Session._accumulate = full  # type: ignore[method-assign]
    return work_for_agent(settings, request)


def main(how: str, data: str, run: str, start: str = "") -> None:
    """Train tiny tiles in batches of four; with short memory until a deadline that has passed when it suffices."""
    work = {"exact_steps": exact_steps, "short_memory": short_memory}[how]
    launch.work_for_agent = work
    limits = {"max_hours": 1e-6} if work is short_memory else {}
    settings = Settings.model_validate(
        {"data": data, "recipe": "smoke", "size_px": 64, "epochs": 3, "cloud": limits}
    )
    request = TrainRequest(
        run=Path(run), batch_size="4", threads=1, dtype="float32", start_from=start or None
    )
    result = train_by_several(settings, request, Processes(here=2))
    sys.exit(int(result.code))


if __name__ == "__main__":
    main(*sys.argv[1:])
