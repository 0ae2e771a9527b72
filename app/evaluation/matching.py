"""Which detection found which box: greedy, best confidence first, each box found once, IoU at least .5."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import LabelledTile, TileSet
from app.detector.detections import Detections
from app.detector.nms import pairwise_iou

MATCH_IOU = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """All detections of a set, in falling confidence."""

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    """Whether each detection found a box."""
    labels: NDArray[np.int64]
    truth_labels: NDArray[np.int64]
    """Class of every box there is to find."""

    @property
    def truths(self) -> int:
        """Boxes there are to find."""
        return len(self.truth_labels)

    def of_class(self, label: int) -> "Matches":
        """Only the detections and boxes of one class."""
        mine = self.labels == label
        return Matches(
            scores=self.scores[mine],
            hits=self.hits[mine],
            labels=self.labels[mine],
            truth_labels=self.truth_labels[self.truth_labels == label],
        )

    def precision_recall(self, threshold: float) -> tuple[float, float]:
        """Of the detections with at least this confidence; 0 where there is nothing to divide by."""
        kept = self.scores >= threshold
        found = int(self.hits[kept].sum())
        precision = found / int(kept.sum()) if kept.any() else 0.0
        return precision, found / self.truths if self.truths else 0.0


def match_all(truth: TileSet, detections: Sequence[Detections]) -> Matches:
    """Match every tile's detections with its boxes, class by class."""
    hits = [match_tile(t, d) for t, d in zip(truth.tiles, detections, strict=True)]
    scores = np.concatenate([np.zeros(0), *(d.scores for d in detections)])
    order = np.argsort(-scores, kind="stable")
    return Matches(
        scores=scores[order],
        hits=np.concatenate([np.zeros(0, dtype=bool), *hits])[order],
        labels=np.concatenate([np.zeros(0, dtype=np.int64), *(d.labels for d in detections)])[order],
        truth_labels=np.concatenate([np.zeros(0, dtype=np.int64), *(t.labels for t in truth.tiles)]),
    )


def match_tile(tile: LabelledTile, found: Detections, *, iou: float = MATCH_IOU) -> NDArray[np.bool_]:
    """For each detection of a tile whether it found a box that no better one had found."""
    return assign_tile(tile, found, iou=iou) >= 0


def assign_tile(tile: LabelledTile, found: Detections, *, iou: float = MATCH_IOU) -> NDArray[np.int64]:
    """For each detection of a tile which box it found that no better one had found; -1 for none."""
    owner = np.full(len(found), -1, dtype=np.int64)
    if not len(tile.labels):
        return owner
    overlaps = pairwise_iou(found.boxes_xyxy_px, tile.boxes_xyxy_px)
    free = np.ones(len(tile.labels), dtype=bool)
    for index in np.argsort(-found.scores, kind="stable"):
        possible = np.where(free & (tile.labels == found.labels[index]), overlaps[index], -1.0)
        if possible.max() >= iou:
            owner[index] = possible.argmax()
            free[owner[index]] = False
    return owner


def best_threshold(matches: Matches) -> float:
    """The confidence with the highest F1; .5 where nothing was found."""
    if not matches.hits.any():
        return 0.5
    found = matches.hits.cumsum()
    f1 = 2 * found / (np.arange(1, len(found) + 1) + matches.truths)
    # A threshold lets all detections of equal confidence pass, so only the last of them is a choice.
    last_of_equals = np.append(matches.scores[1:] < matches.scores[:-1], True)
    return float(matches.scores[int(np.where(last_of_equals, f1, -1.0).argmax())])
