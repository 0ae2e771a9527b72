"""Real and simulated tiles side by side, and histograms of what was measured in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tile_statistics import Floats

_TILE_PX, _COLUMNS, _ROWS = 192, 5, 2
_PLOTS = (
    "grey over mean",
    "local variation",
    "bright tail",
    "width",
    "highlight",
    "shadow",
    "edge",
    "lit share",
)
_REAL, _SIMULATED = (60, 200, 60), (60, 140, 255)
"""Green and orange, blue first as OpenCV has it."""

Colour = NDArray[np.uint8]


class Set(Protocol):
    """What the picture needs of a set of tiles."""

    pictures: list[tuple[NDArray[np.uint8], NDArray[np.float32]]]

    def array(self, name: str) -> Floats:
        """All values of a figure."""


def draw_picture(path: Path, sets: Mapping[str, "Set"], pairs: dict[str, str]) -> None:
    """One band per pair: real tiles, simulated tiles, and below them the histograms of both."""
    bands = []
    for real, simulated in pairs.items():
        tiles = np.hstack([_montage(sets[name], name) for name in (real, simulated)])
        plots = [_plot(sets[real].array(n), sets[simulated].array(n), n) for n in _PLOTS]
        strip = np.hstack(plots)
        bands += [
            tiles,
            cv2.resize(strip, (tiles.shape[1], round(strip.shape[0] * tiles.shape[1] / strip.shape[1]))),
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(bands))


def _montage(tiles: "Set", name: str) -> Colour:
    count = _COLUMNS * _ROWS
    order = np.random.default_rng(0).permutation(len(tiles.pictures))[:count]
    cells = [np.zeros((_TILE_PX, _TILE_PX, 3), np.uint8) for _ in range(count)]
    for cell, index in zip(cells, order, strict=False):
        image, boxes = tiles.pictures[int(index)]
        shown = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        for box in boxes.astype(int):
            cv2.rectangle(shown, (int(box[0]), int(box[1])), (int(box[2]), int(box[3])), (0, 255, 255), 1)
        cell[:] = cv2.resize(shown, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
    grid = np.vstack([np.hstack(cells[r * _COLUMNS : (r + 1) * _COLUMNS]) for r in range(_ROWS)])
    cv2.putText(grid, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 255), 2)
    return np.asarray(grid, dtype=np.uint8)


def _plot(real: Floats, simulated: Floats, name: str) -> Colour:
    """Two outlines over a common axis from the 1st to the 99th percentile of both."""
    height, width = 150, 240
    plot = np.full((height, width, 3), 255, np.uint8)
    cv2.putText(plot, name, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1)
    if len(real) < 10 or len(simulated) < 10:
        return plot
    low, high = np.percentile(np.concatenate((real, simulated)), (1, 99))
    for values, colour in ((real, _REAL), (simulated, _SIMULATED)):
        counts, _ = np.histogram(values, bins=30, range=(low, max(high, low + 1e-6)))
        share = counts / max(counts.max(), 1)
        points = np.stack((np.linspace(5, width - 5, 30), height - 20 - share * (height - 40)), 1)
        cv2.polylines(plot, [points.round().astype(np.int32)], False, colour, 2)
    for x, value in ((4, low), (width - 60, high)):
        cv2.putText(plot, f"{value:.3g}", (x, height - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1)
    return plot
