"""Training without a run folder, for measurements: a recipe over given tiles in, the averaged weights out.

Nothing is evaluated on the way and no epoch is chosen: what comes back are the weights after the last step.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.dataset.cache import PixelCache
from app.dataset.loader import TileLoader
from app.dataset.tile_batches import batches_of
from app.dataset.tiles import TileSet
from app.detector.model_file import ModelCard, write_model
from app.detector.network import SidescanTargetDetector
from app.device.choice import choose_device
from app.device.plan import DevicePlan, plan_device
from app.storage import atomic_write
from app.training.batches import recipe_batches
from app.training.recipe import TrainConfig
from app.training.session import Session


def one_thread() -> DevicePlan:
    """The CPU with one thread, so that figures of two measurements side by side stay comparable.

    In float32: a step of training took .44 s there and .57 s in bfloat16 (AVX512-BF16 without AMX).
    """
    plan = plan_device(choose_device("cpu"), threads=1, dtype="float32")
    plan.apply()
    return plan


def fit(
    config: TrainConfig,
    tiles: TileSet,
    indices: Sequence[int],
    plan: DevicePlan,
    *,
    steps: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[SidescanTargetDetector, float]:
    """The averaged network after `steps` (default: the recipe's epochs), and the seconds that it took.

    Seconds include preparing the tiles, which happens on the same core, but not reading them from disk.
    """
    cache = PixelCache(tiles)
    for index in sorted(set(indices)):
        cache.get(index)
    steps_per_epoch = batches_of(len(indices), config.batch_size)
    total = steps if steps is not None else config.epochs * steps_per_epoch
    loader = TileLoader(recipe_batches(config, tiles, cache, indices, epochs=total / steps_per_epoch))
    session = Session(config, tiles.class_names, plan, total_steps=total)
    started, epoch = time.perf_counter(), 0
    while session.position.step < total:
        losses: list[float] = []
        for batch in loader.batches(epoch):
            losses.append(session.step(batch)["loss"])
            if session.position.step == total:
                break
        epoch += 1
        tell(
            f"epoch {epoch}, step {session.position.step} of {total}: loss {np.mean(losses):.3f}, "
            f"{time.perf_counter() - started:.0f} s"
        )
    return session.average.module.eval(), time.perf_counter() - started


def keep(model: SidescanTargetDetector, path: Path, name: str) -> Path:
    """Write weights to start from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as stream:
        write_model(stream, model, ModelCard(name=name))
    return path


def named(tiles: TileSet, classes: tuple[str, ...], renamed: dict[str, str]) -> TileSet:
    """The same tiles with these classes, in this order.

    Boxes of a class that is not among them vanish, and with them tiles that held nothing else: such a tile is
    no background.
    """
    names = [renamed.get(name, name) for name in tiles.class_names]
    lookup = np.array([classes.index(n) if n in classes else -1 for n in names], np.int64)
    kept = []
    for tile in tiles.tiles:
        labels = lookup[tile.labels]
        mine = labels >= 0
        if mine.any() or not len(labels):
            kept.append(replace(tile, labels=labels[mine], boxes_xyxy_px=tile.boxes_xyxy_px[mine]))
    return replace(tiles, class_names=classes, tiles=tuple(kept))
