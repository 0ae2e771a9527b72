"""One training of the accuracy benchmark: a variant, a fold, a seed; weights and a JSON file come out."""

import json
import platform
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from app.dataset.cache import PixelCache
from app.dataset.loader import TileLoader
from app.dataset.split import Split
from app.dataset.tiles import TileSet
from app.detector.model_file import ModelCard, write_model
from app.detector.network import SidescanTargetDetector
from app.device.plan import DevicePlan
from app.storage import atomic_write, write_json
from app.training.batches import recipe_batches
from app.training.ema import AveragedModel
from app.training.recipe import TrainConfig
from app.training.session import Session
from benchmarks.accuracy_teacher import learn_from
from benchmarks.accuracy_variants import Variant

DECAYS = (0.95, 0.98, 0.998)
"""Averages of the weights that every run keeps beside the last ones, so that one training compares them."""
LAST_EPOCHS = 10
"""How many epochs' last weights the plain mean is made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What is trained and where the result lies."""

    name: str
    variant: Variant = field(compare=False)
    fold: str
    """0, 1, 2 or `aside`."""
    seed: int
    epochs: int
    results: Path

    @property
    def stem(self) -> str:
        """File name without its end."""
        return f"{self.name}-e{self.epochs}-f{self.fold}-s{self.seed}"

    @property
    def path(self) -> Path:
        """JSON; the run is done when it is there."""
        return self.results / f"{self.stem}.json"

    def weights(self, average: str) -> Path:
        """Model file of one of the averages."""
        return self.results / f"{self.stem}.{average}.pt"


def train_run(run: Run, tiles: TileSet, split: Split, plan: DevicePlan) -> None:
    """Train to the last epoch without looking at the scored part once."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.pt"
        config = run.variant.train_config(epochs=run.epochs, seed=run.seed, start_from=str(start))
        _write_start(start, tiles, run)
        loader = _loader(tiles, split, config, plan)
        steps = len(loader)
        session = Session(config, tiles.class_names, plan, total_steps=steps * run.epochs)
    session.model.loss_config = run.variant.loss_config()
    if run.variant.teacher:
        learn_from(session.model, replace(run, name=run.variant.teacher, seed=1).weights("ema0.998"))
    averages = {f"ema{d}": AveragedModel(session.model, d) for d in DECAYS}
    total = _Mean()
    wall, processor, losses = time.monotonic(), time.process_time(), {"loss": 0.0}
    for epoch in range(run.epochs):
        for batch in loader.batches(epoch):
            losses = session.step(batch)
            for average in averages.values():
                average.update(session.model)
        if epoch >= run.epochs - LAST_EPOCHS:
            total.add(session.model)
        if epoch % 10 == 9:
            print(
                f"{run.stem} epoch {epoch + 1} loss {losses['loss']:.2f} {time.monotonic() - wall:.0f} s",
                flush=True,
            )
    kept = {name: a.module for name, a in averages.items()}
    kept |= {"last": session.model, "mean": total.model(session.model)}
    for name, model in kept.items():
        with atomic_write(run.weights(name)) as stream:
            write_model(stream, model, ModelCard(name=f"{run.stem} {name}", size_px=config.size_px))
    write_json(
        run.path,
        {
            "variant": run.name,
            "fold": run.fold,
            "seed": run.seed,
            "epochs": run.epochs,
            "steps": steps * run.epochs,
            "tiles": len(split.train),
            "averages": list(kept),
            "wall_s": round(time.monotonic() - wall, 1),
            "processor_s": round(time.process_time() - processor, 1),
            "loss": losses["loss"],
            "machine": f"{_processor_name()}, {torch.get_num_threads()} thread, {str(plan.dtype)[6:]}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        },
    )


def read_run(run: Run) -> dict[str, Any]:
    """What `train_run` wrote."""
    told: dict[str, Any] = json.loads(run.path.read_text(encoding="utf-8"))
    return told


def _write_start(path: Path, tiles: TileSet, run: Run) -> None:
    torch.manual_seed(run.seed)
    network = SidescanTargetDetector(run.variant.network_config(tiles.class_names))
    with path.open("wb") as stream:
        write_model(stream, network, ModelCard(name="start"))


def _loader(tiles: TileSet, split: Split, config: TrainConfig, plan: DevicePlan) -> TileLoader:
    return TileLoader(recipe_batches(config, tiles, PixelCache(tiles), split.train), workers=plan.workers)


class _Mean:
    """Plain mean of weights and batch-norm statistics."""

    def __init__(self) -> None:
        self._count = 0
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, model: nn.Module) -> None:
        self._count += 1
        for name, value in model.state_dict().items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()

    def model(self, like: SidescanTargetDetector) -> SidescanTargetDetector:
        mean = SidescanTargetDetector(like.config)
        mean.load_state_dict(
            {k: v / self._count if v.is_floating_point() else v // self._count for k, v in self._sums.items()}
        )
        return mean.eval()


def _processor_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
