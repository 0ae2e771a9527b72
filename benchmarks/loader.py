"""Images per second of the training loader: `python -m benchmarks.loader [--data FOLDER] [--size-px N] [--processes]`.

Without --data it makes 256-px tiles of speckle. One thread by default: the figure is per core.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil

from app.dataset.augment import Augmentation
from app.dataset.cache import PixelCache
from app.dataset.formats.yolo_writer import GeneratedTile, write_yolo_tiles
from app.dataset.loader import TileLoader
from app.dataset.read import read_tiles
from app.dataset.tile_batches import TileBatches
from app.dataset.tiles import TileSet
from app.device.freed_memory import keep_freed_memory

MADE_TILES = 200


def made_tiles() -> Iterator[GeneratedTile]:
    """Speckled tiles of 256 px with one box each."""
    rng = np.random.default_rng(0)
    for _ in range(MADE_TILES):
        image = rng.rayleigh(60, (256, 256)).clip(0, 255).astype(np.uint8)
        yield image, np.array([[100, 100, 140, 134]], np.float32), np.array([0])


def rate(
    tiles: TileSet, cache: PixelCache, augmentation: Augmentation | None, options: argparse.Namespace
) -> tuple[float, float]:
    """Images per second, on the clock and of one core's time, over about `options.seconds`, the start apart."""
    batches = TileBatches(
        tiles,
        cache,
        range(len(tiles)),
        size_px=options.size_px,
        batch_size=16,
        seed=0,
        augmentation=augmentation,
    )
    loader = TileLoader(batches, workers=options.workers, processes=options.processes)
    next(warm := loader.batches(0))
    warm.close()
    images, started, epoch = 0, time.perf_counter(), 0
    processor_s = _processor_s()
    while time.perf_counter() - started < options.seconds:
        images += sum(len(batch.boxes) for batch in loader.batches(epoch))
        epoch += 1
    rates = images / (time.perf_counter() - started), images / (_processor_s() - processor_s)
    loader.close()
    return rates


def _processor_s() -> float:
    """Of this process and of all that came from it and still live."""
    own = psutil.Process()
    family = [own, *own.children(recursive=True)]
    return sum(sum(p.cpu_times()[:2]) for p in family)


def main() -> None:
    """Print one line per way of loading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a labelled folder; made tiles if absent")
    parser.add_argument("--size-px", type=int, default=256)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--processes", action="store_true", help="instead of threads")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each way")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    keep_freed_memory()  # as a training does
    with tempfile.TemporaryDirectory() as folder:
        root = options.data
        if root is None:
            root = Path(folder) / "made"
            write_yolo_tiles(made_tiles(), root, ("target",))
        started = time.perf_counter()
        tiles, _ = read_tiles(root)
        print(
            f"read and checked: {len(tiles) / (time.perf_counter() - started):,.0f} images/s, {tiles.format}"
        )
        cache = PixelCache(tiles)
        started = time.perf_counter()
        for index in range(len(tiles)):
            cache.get(index)
        print(f"decoded:          {len(tiles) / (time.perf_counter() - started):,.0f} images/s")
        ways = {
            "augmented:        ": Augmentation(),
            "without mosaic:   ": Augmentation().without_mosaic(),
            "with copy-paste:  ": Augmentation(copy_paste=0.5),
            "letterboxed only: ": None,
        }
        for name, augmentation in ways.items():
            kind = "process(es)" if options.processes else "thread(s)"
            shown = f"at {options.size_px} px, {options.workers} {kind}"
            clock, core = rate(tiles, cache, augmentation, options)
            print(f"{name}{clock:,.0f} images/s {shown}, {core:,.0f} for each second of processor")


if __name__ == "__main__":
    main()
