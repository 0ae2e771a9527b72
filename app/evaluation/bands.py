"""AP and recall of the objects of one band: of size in pixels or metres, or of distance from the track."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import LabelledTile, TileSet
from app.detector.detections import Detections
from app.evaluation.average_precision import ApTable
from app.evaluation.matching import assign_tile

Bounds = Mapping[str, tuple[float, float]]
Bands = dict[str, dict[str, float]]
Measure = Callable[[LabelledTile, NDArray[np.float32]], NDArray[np.float64]]
"""Of a tile's boxes (N, 4), one value each."""

SIZES_PX: Bounds = {"small": (0.0, 32.0), "medium": (32.0, 96.0), "large": (96.0, 1e5)}
"""Object sizes by the square root of the box's area, in pixels of the tile; COCO's bounds."""
SIZES_M: Bounds = {
    "under 1 m": (0.0, 1.0),
    "1 to 2 m": (1.0, 2.0),
    "2 to 5 m": (2.0, 5.0),
    "5 to 20 m": (5.0, 20.0),
    "over 20 m": (20.0, 1e5),
}
"""The same in metres of seabed, shadow included as far as it is labelled."""
RANGES_M: Bounds = {
    "under 15 m": (0.0, 15.0),
    "15 to 30 m": (15.0, 30.0),
    "30 to 50 m": (30.0, 50.0),
    "50 to 75 m": (50.0, 75.0),
    "75 to 100 m": (75.0, 100.0),
    "over 100 m": (100.0, 1e5),
}
"""Distance of the box's middle from the track, along the bottom."""


def by_size_px(truth: TileSet, detections: Sequence[Detections], threshold: float) -> Bands:
    """By size in the tile's own pixels."""
    return _bands(truth, detections, threshold, SIZES_PX, lambda _, boxes: _sides_px(boxes))


def by_size_m(truth: TileSet, detections: Sequence[Detections], threshold: float) -> Bands:
    """By size in metres, of the tiles whose geometry is known."""
    return _bands(*_placed(truth, detections), threshold, SIZES_M, _sides_m)


def by_range_m(truth: TileSet, detections: Sequence[Detections], threshold: float) -> Bands:
    """By distance from the track, of the tiles whose geometry is known."""
    return _bands(*_placed(truth, detections), threshold, RANGES_M, _range_m)


def _bands(
    truth: TileSet, detections: Sequence[Detections], threshold: float, bounds: Bounds, measure: Measure
) -> Bands:
    """ap50, ap50_95, recall at the threshold and boxes of each band that has any.

    Objects of other bands, and what finds them, do not count; nor do alarms that are themselves of another band.
    """
    values = [measure(tile, tile.boxes_xyxy_px) for tile in truth.tiles]
    table: Bands = {}
    for name, (low, high) in bounds.items():
        inside = [(v >= low) & (v < high) for v in values]
        boxes = sum(int(i.sum()) for i in inside)
        if not boxes:
            continue
        hits, kept = 0, []
        for tile, found, mine in zip(truth.tiles, detections, inside, strict=True):
            owner = assign_tile(tile, found)
            finds_mine = np.zeros(len(found), dtype=bool)
            finds_mine[owner >= 0] = mine[owner[owner >= 0]]
            hits += int((finds_mine & (found.scores >= threshold)).sum())
            own = measure(tile, found.boxes_xyxy_px)
            kept.append(_only(found, finds_mine | ((own >= low) & (own < high))))
        ap = ApTable(truth, kept, sizes_px={}, counted=inside)
        table[name] = {
            "ap50": ap.mean(ious=slice(0, 1)),
            "ap50_95": ap.mean(),
            "recall": hits / boxes,
            "boxes": boxes,
        }
    return table


def _only(found: Detections, kept: NDArray[np.bool_]) -> Detections:
    return Detections(
        boxes_xyxy_px=found.boxes_xyxy_px[kept], scores=found.scores[kept], labels=found.labels[kept]
    )


def _placed(truth: TileSet, detections: Sequence[Detections]) -> tuple[TileSet, list[Detections]]:
    pairs = [(t, d) for t, d in zip(truth.tiles, detections, strict=True) if t.geometry is not None]
    return replace(truth, tiles=tuple(tile for tile, _ in pairs)), [found for _, found in pairs]


def _sides_px(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.sqrt(np.maximum(area, 0)).astype(np.float64)


def _sides_m(tile: LabelledTile, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    assert tile.geometry is not None
    return _sides_px(boxes) * tile.geometry.pixel_m


def _range_m(tile: LabelledTile, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    assert tile.geometry is not None
    middle: NDArray[np.float64] = (boxes[:, 0] + boxes[:, 2]).astype(np.float64) / 2
    return tile.geometry.near_m + middle * tile.geometry.pixel_m
