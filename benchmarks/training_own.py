"""The project's own training as a worker of `benchmarks.training`: steps without and with the loader."""

import argparse
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.flop_counter import FlopCounterMode

from app.dataset.cache import PixelCache
from app.dataset.loader import TileLoader
from app.dataset.read import read_tiles
from app.dataset.tile_batches import Batch, TileBatches
from app.device.choice import choose_device
from app.device.plan import DevicePlan, plan_device
from app.training.job import override
from app.training.recipe import TrainConfig, baseline
from app.training.session import Session
from benchmarks.training_profile import grouped_ms, marked
from benchmarks.turns import serve

LARGE = (8, 256, 40, 40)
"""Batch, channels and sides of the convolution whose rate stands for what the CPU can do."""


class Steps:
    """What a turn may ask for."""

    def __init__(self, data: Path, config: TrainConfig, plan: DevicePlan) -> None:
        tiles, _ = read_tiles(data)
        self.session = Session(config, tiles.class_names, plan, total_steps=10_000)
        batches = TileBatches(
            tiles,
            PixelCache(tiles),
            range(len(tiles)),
            size_px=config.size_px,
            batch_size=config.batch_size,
            seed=0,
            augmentation=config.augmentation,
        )
        self._loader = TileLoader(batches, workers=plan.workers)
        self._batches = self._endless()
        self._same = [next(self._batches) for _ in range(4)]
        self._turn = 0
        self._convolution = _Convolution(plan.dtype)

    def _endless(self) -> Iterator[Batch]:
        for epoch in count():
            yield from self._loader.batches(epoch)

    def without_loader(self) -> float:
        """A step on a batch that is there already."""
        self._turn += 1
        return self._step(self._same[self._turn % len(self._same)])

    def with_loader(self) -> float:
        """A step on a batch from the loader."""
        return self._step(next(self._batches))

    def convolution(self) -> float:
        """One large convolution forward and backward; answers its operations."""
        return self._convolution()

    def flops_of_a_step(self) -> float:
        """Of its convolutions and matrix products."""
        with FlopCounterMode(display=False) as counter:
            self.without_loader()
        return float(counter.get_total_flops())

    def profile_ms(self, steps: int) -> dict[str, float]:
        """Milliseconds a step by what they are for."""
        session: Any = self.session
        session.model.loss = marked("loss", session.model.loss)
        session.average.update = marked("average", session.average.update)
        session.optimiser.step = marked("optimiser step", session.optimiser.step)
        return grouped_ms(self.without_loader, steps)

    def _step(self, batch: Batch) -> float:
        self.session.step(batch)
        return len(batch.boxes)


class _Convolution:
    def __init__(self, dtype: torch.dtype) -> None:
        channels = LARGE[1]
        self.image = torch.randn(LARGE, dtype=dtype).to(memory_format=torch.channels_last)
        self.kernel = torch.randn(channels, channels, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
        self.flops = 3 * 2.0 * self.image.numel() * channels * 9

    def __call__(self) -> float:
        image, kernel = self.image.requires_grad_(), self.kernel.requires_grad_()
        answer = torch.nn.functional.conv2d(image, kernel, padding=1)
        torch.autograd.grad(answer, [image, kernel], torch.ones_like(answer))
        return self.flops


def prepared(given: argparse.Namespace) -> Steps:
    """Warmed up and ready for turns."""
    cv2.setNumThreads(1)
    plan = plan_device(choose_device("cpu"), dtype=given.dtype, compile=given.compile, threads=given.threads)
    plan.apply()
    config = override(baseline(), size_px=given.size_px, batch_size=given.batch_size)
    steps = Steps(given.data, config, plan)
    for _ in range(2):
        steps.without_loader()
    steps.convolution()
    return steps


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size-px", type=int, default=640)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--dtype")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, help="instead of all cores")
    parser.add_argument("--profile", type=int, default=0, metavar="STEPS", help="only say where they go")
    given = parser.parse_args()
    steps = prepared(given)
    if given.profile:
        print(json.dumps(steps.profile_ms(given.profile)))
        return
    plan = steps.session.plan
    facts = {
        "flops": steps.flops_of_a_step(),
        "dtype": str(plan.dtype).removeprefix("torch."),
        "reason": plan.reasons["dtype"],
        "threads": plan.threads,
        "parameters": sum(p.numel() for p in steps.session.model.parameters()),
        "torch": torch.__version__,
    }
    ways = {"off": steps.without_loader, "on": steps.with_loader, "convolution": steps.convolution}
    serve(ways, facts)


if __name__ == "__main__":
    main()
