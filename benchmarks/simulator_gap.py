"""python -m benchmarks.simulator_gap --data DIR [--picture FILE]: how far simulated tiles are from real ones.

For every figure the median with the 10th and 90th percentile of each set, and the gap to each real set: the
1-Wasserstein distance between both sets' values in parts of the real set's deviation (a tenth of its mean at
least), so that 1 is much.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.dataset.images import read_grey
from app.dataset.letterbox import letterbox
from app.dataset.read import read_tiles
from app.sonar.recording import open_recording
from app.sonar.simulator.shape import CLASS_NAMES
from app.sonar.simulator.tiles import Tile, simulate_tiles
from app.survey.correct import Corrector
from app.survey.options import SurveyOptions
from benchmarks.fitting import named
from benchmarks.gap_picture import draw_picture
from benchmarks.synthetic_only import RENAMED
from benchmarks.tile_statistics import (
    BOX_FIGURES,
    TILE_FIGURES,
    Floats,
    box_figures,
    normalised_histogram,
    tile_figures,
    wasserstein,
)

SIDE_PX = 256
NADIR_SHARE = 0.15
"""Of a corrected side: what remains of the water column lies there."""
COMPARED = {
    "sdvd": ("simulated", "target"),
    "ships": ("simulated", "ship"),
    "aircraft": ("simulated", "aircraft"),
    "xtf": ("simulated", ""),
}
"""A real set, and what of the simulated tiles it is compared with."""


class Figures:
    """Values of one set, collected tile by tile."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.grey: list[Floats] = []
        self.pictures: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []

    def add(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> None:
        """One tile with its boxes."""
        found = [tile_figures(image, boxes), *(box_figures(image, box) for box in boxes)]
        for figures in found:
            for name, value in (figures or {}).items():
                self.values.setdefault(name, []).append(value)
        if found[0] is not None:
            self.grey.append(normalised_histogram(image))
        self.pictures.append((image, boxes))

    def array(self, name: str) -> Floats:
        """All values of a figure; `grey over mean` are those of pixels."""
        if name == "grey over mean":
            return np.concatenate(self.grey) if self.grey else np.zeros(0)
        return np.array(self.values.get(name, []))


def main() -> None:
    """Print the table, and save the picture and the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sdvd/, wrecks/ and xtf/")
    parser.add_argument("--tiles", type=int, default=600, help="simulated ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="PNG: examples of both, and histograms")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sets = real_sets(options.data)
    sets |= simulated_sets(simulate_tiles(options.tiles, size_px=SIDE_PX, seed=options.seed))
    table = gap_table(sets)
    for real, rows in table.items():
        print(f"\n| {real} | real | simulated | gap |\n| --- | --- | --- | --- |")
        for name, row in rows.items():
            print(f"| {name} | {_spread(row['real'])} | {_spread(row['simulated'])} | {row['gap']:.2f} |")
        print(f"mean gap {np.mean([row['gap'] for row in rows.values()]):.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    if options.picture is not None:
        draw_picture(options.picture, sets, {real: simulated_name(real) for real in COMPARED})


def simulated_name(real: str) -> str:
    """The simulated set that a real one is compared with."""
    return " ".join(filter(None, COMPARED[real]))


def simulated_sets(tiles: Iterable[Tile]) -> dict[str, Figures]:
    """All tiles, and those of each class."""
    sets = {simulated_name(real): Figures() for real in COMPARED}
    for image, boxes, labels in tiles:
        sets["simulated"].add(image, boxes)
        for index, name in enumerate(CLASS_NAMES):
            if (labels == index).any():
                sets[f"simulated {name}"].add(image, boxes[labels == index])
    return sets


def real_sets(data: Path) -> dict[str, Figures]:
    """The labelled folders, at the size that training sees, and the recordings' corrected strips."""
    sets = {real: Figures() for real in COMPARED}
    for folder, parts in (
        ("sdvd", {"target": "sdvd"}),
        ("wrecks", {"ship": "ships", "aircraft": "aircraft"}),
    ):
        tiles = named(read_tiles(data / folder)[0], CLASS_NAMES, RENAMED)
        for tile in tiles.tiles:
            grey = read_grey(tile.path)
            assert grey is not None
            image, scale = letterbox(grey, SIDE_PX)
            boxes = tile.boxes_xyxy_px * np.float32(scale)
            for label, name in parts.items():
                mine = tile.labels == CLASS_NAMES.index(label)
                if mine.any():
                    sets[name].add(image, boxes[mine])
    for path in sorted((data / "xtf").glob("*.xtf")):
        for image in recording_tiles(path):
            sets["xtf"].add(image, np.zeros((0, 4), np.float32))
    return sets


def recording_tiles(path: Path) -> Iterable[NDArray[np.uint8]]:
    """Tiles of a recording as detection sees them, both sides, beyond the water column."""
    options = SurveyOptions()
    recording = open_recording(path)
    corrector = Corrector(options)
    for waterfall in recording.blocks(pings=options.block_pings, pair=None):
        for image in corrector.correct(waterfall).strip.images.values():
            first = round(NADIR_SHARE * image.shape[1])
            for top in range(0, image.shape[0] - SIDE_PX + 1, SIDE_PX // 2):
                for left in range(first, image.shape[1] - SIDE_PX + 1, SIDE_PX // 2):
                    yield np.ascontiguousarray(image[top : top + SIDE_PX, left : left + SIDE_PX])


def gap_table(sets: dict[str, Figures]) -> dict[str, dict[str, dict[str, object]]]:
    """Per real set and figure: both spreads and the gap."""
    table: dict[str, dict[str, dict[str, object]]] = {}
    for real in COMPARED:
        rows: dict[str, dict[str, object]] = {}
        for name in ("grey over mean", *TILE_FIGURES, *BOX_FIGURES):
            ours, theirs = sets[simulated_name(real)].array(name), sets[real].array(name)
            if len(ours) < 10 or len(theirs) < 10:
                continue
            rows[name] = {
                "real": np.percentile(theirs, (10, 50, 90)).round(4).tolist(),
                "simulated": np.percentile(ours, (10, 50, 90)).round(4).tolist(),
                "gap": round(
                    wasserstein(ours, theirs)
                    / max(float(theirs.std()), 0.1 * abs(float(theirs.mean())), 0.01),
                    4,
                ),
            }
        table[real] = rows
    return table


def _spread(values: object) -> str:
    assert isinstance(values, list)
    low, middle, high = (f"{v:.3g}" for v in values)
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    main()
