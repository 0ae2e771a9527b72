"""A training by two processes of which the second runs out of memory in its first attempt; a program of its own."""

import sys
from pathlib import Path

import torch

from app.config.launch import launched
from app.config.settings import Settings
from app.training import launch
from app.training.launch import Processes, train_by_several, work_for_agent
from app.training.notes import Ended
from app.training.run import TrainRequest, TrainResult
from app.training.session import Session


def work(settings: Settings, request: TrainRequest) -> TrainResult | Ended:
    """As `work_for_agent`, on a device that is too small at first."""
    place = launched()
    assert place is not None
    if place.rank == 1 and not place.restarts:

        def full(_self: Session, _batch: object) -> dict[str, float]:
            raise torch.OutOfMemoryError("CUDA out of memory")

        Session._accumulate = full  # type: ignore[method-assign]
    return work_for_agent(settings, request)


def main(data: str, run: str) -> None:
    """Train until the deadline, which has passed when the memory suffices; exits with the training's code."""
    launch.work_for_agent = work
    settings = Settings.model_validate(
        {"data": data, "recipe": "smoke", "size_px": 64, "epochs": 3, "cloud": {"max_hours": 1e-6}}
    )
    request = TrainRequest(run=Path(run), batch_size="4", threads=1, dtype="float32")
    result = train_by_several(settings, request, Processes(here=2))
    sys.exit(int(result.code))


if __name__ == "__main__":
    main(*sys.argv[1:])
