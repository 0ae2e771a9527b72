"""Labelled tiles from the simulator, as a folder that training reads like any other."""

from collections.abc import Iterator
from pathlib import Path

from app.dataset.formats.yolo_writer import GeneratedTile, write_yolo_tiles
from app.sonar.simulator.shape import CLASS_NAMES
from app.sonar.simulator.tiles import simulate_tiles
from app.telemetry.progress import Progress

TILES_PER_LINE = 10
"""Tiles are named as if cut from lines of this many, so that a split keeps neighbours together."""


def write_simulated_tiles(out: Path, count: int, *, seed: int, progress: Progress, size_px: int = 256) -> int:
    """Write a YOLO folder of simulated tiles; the number written.

    Raises:
        OutputError: `out` cannot be written; nothing is left behind.
    """
    progress.start("simulating tiles", count)

    def counted() -> Iterator[GeneratedTile]:
        for tile in simulate_tiles(count, size_px=size_px, seed=seed):
            progress.advance(1)
            yield tile

    names = ((f"line_{i // TILES_PER_LINE:04d}_tile_{i:05d}", "") for i in range(count))
    written = write_yolo_tiles(counted(), out, CLASS_NAMES, names=names)
    progress.done()
    return written
