"""Which detection found which box: greedy, best confidence first, each box found once, IoU at least .5."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import LabelledTile, TileSet
from app.detector.detections import Detections
from app.detector.nms import pairwise_iou

MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Matches:
    """All detections of a set, in falling confidence."""

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    """Whether each detection found a box."""
    truths: int
    """Boxes there are to find."""

    def precision_recall(self, threshold: float) -> tuple[float, float]:
        """Of the detections with at least this confidence; precision is 0 where there are none."""
        kept = self.scores >= threshold
        found = int(self.hits[kept].sum())
        precision = found / int(kept.sum()) if kept.any() else 0.0
        return precision, found / self.truths if self.truths else 0.0


def match_all(truth: TileSet, detections: Sequence[Detections]) -> Matches:
    """Match every tile's detections with its boxes, class by class."""
    hits = [match_tile(t, d) for t, d in zip(truth.tiles, detections, strict=True)]
    scores = np.concatenate([np.zeros(0), *(d.scores for d in detections)])
    flat = np.concatenate([np.zeros(0, dtype=bool), *hits])
    order = np.argsort(-scores, kind="stable")
    return Matches(scores[order], flat[order], sum(len(t.labels) for t in truth.tiles))


def match_tile(tile: LabelledTile, found: Detections, *, iou: float = MATCH_IOU) -> NDArray[np.bool_]:
    """For each detection of a tile whether it found a box that no better one had found."""
    hits = np.zeros(len(found), dtype=bool)
    overlaps = pairwise_iou(found.boxes_xyxy_px, tile.boxes_xyxy_px)
    free = np.ones(len(tile.labels), dtype=bool)
    for index in np.argsort(-found.scores, kind="stable"):
        possible = np.where(free & (tile.labels == found.labels[index]), overlaps[index], -1.0)
        if len(possible) and possible.max() >= iou:
            hits[index] = True
            free[possible.argmax()] = False
    return hits


def best_threshold(matches: Matches) -> float:
    """The confidence with the highest F1; .5 where nothing was found."""
    if not matches.hits.any() or not matches.truths:
        return 0.5
    found = matches.hits.cumsum()
    f1 = 2 * found / (np.arange(1, len(found) + 1) + matches.truths)
    return float(matches.scores[int(f1.argmax())])
