"""Labelled tiles from the simulator, as a folder that training reads like any other."""

from collections.abc import Iterator
from pathlib import Path

from app.dataset.formats.yolo_writer import NamedTile, write_named_tiles
from app.sonar.simulator.shape import CLASS_NAMES
from app.sonar.simulator.tiles import simulate_tiles
from app.telemetry.progress import Progress

TILES_PER_GROUP = 10
"""Tiles are grouped as if cut from lines of this many, so that a split has whole groups to deal."""


def write_simulated_tiles(out: Path, count: int, *, seed: int, progress: Progress, size_px: int = 256) -> int:
    """Write a YOLO folder of simulated tiles; the number written.

    Raises:
        OutputError: `out` cannot be written; nothing is left behind.
    """
    progress.start("simulating", count)

    def named() -> Iterator[NamedTile]:
        for index, (image, boxes, labels) in enumerate(simulate_tiles(count, size_px=size_px, seed=seed)):
            progress.advance(1)
            group = f"simulated-{index // TILES_PER_GROUP:04d}"
            yield NamedTile(
                name=f"{group}-{index:05d}", group=group, image_HW=image, boxes_xyxy_px=boxes, labels=labels
            )

    written = write_named_tiles(named(), out, CLASS_NAMES)
    progress.done()
    return written
