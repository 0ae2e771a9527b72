"""A tiny data set and a tiny job on it: bright squares on noise, seconds to train."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.dataset.formats.yolo_writer import NamedTile, write_named_tiles
from app.device.choice import choose_device
from app.device.plan import DevicePlan, plan_device
from app.telemetry.progress import Progress, Silent
from app.training.job import TrainJob, prepare_job
from app.training.limits import Limits
from app.training.recipe import TrainConfig, smoke
from app.training.run_folder import RunFolder


def write_squares(folder: Path, count: int = 24, size_px: int = 64) -> Path:
    """A YOLO folder of `count` tiles in groups of four, a bright square in each but every fourth."""
    rng = np.random.default_rng(5)

    def tile(index: int) -> NamedTile:
        image = rng.integers(0, 90, (size_px, size_px), dtype=np.uint8)
        boxes = np.zeros((0, 4), dtype=np.float32)
        if index % 4:
            x, y = (int(v) for v in rng.integers(4, size_px - 24, 2))
            image[y : y + 18, x : x + 18] = 240
            boxes = np.array([[x, y, x + 18, y + 18]], dtype=np.float32)
        return NamedTile(
            name=f"tile{index:03d}",
            group=f"g{index // 4}",
            image_HW=image,
            boxes_xyxy_px=boxes,
            labels=np.zeros(len(boxes), dtype=np.int64),
        )

    write_named_tiles((tile(i) for i in range(count)), folder, ("target",))
    return folder


def cpu_plan() -> DevicePlan:
    """The CPU with one thread, so that sums always add in the same order."""
    plan = plan_device(choose_device("cpu"), threads=1, dtype="float32")
    plan.apply()
    return plan


def tiny_config(**values: object) -> TrainConfig:
    """The smoke recipe on 64 px tiles in batches of four."""
    given = {"size_px": 64, "batch_size": 4, "epochs": 2, **values}
    return replace(smoke(), **given)  # type: ignore[arg-type]


class Notes(Silent):
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def tiny_job(
    data: Path,
    run: Path,
    *,
    config: TrainConfig | None = None,
    limits: Limits | None = None,
    resume: bool = True,
    progress: Progress | None = None,
) -> TrainJob:
    """A job on `data`, begun or taken up in `run`."""
    return prepare_job(
        data=data,
        run=RunFolder(run),
        config=config or tiny_config(),
        plan=cpu_plan(),
        limits=limits or Limits(),
        resume=resume,
        skip_bad=False,
        progress=progress or Silent(),
    )
