"""From every cell's box to the boxes that count: threshold, then non-maximum suppression, in numpy.

Shape suffixes: N cells, C classes, M candidates.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections

MOST_CANDIDATES = 1000
"""Best boxes of an image that suppression looks at; so that a threshold near 0 stays quick."""


def select(
    boxes_N4: NDArray[np.float32],
    scores_NC: NDArray[np.float32],
    *,
    min_score: float,
    iou: float = 0.5,
    iou_across_classes: float | None = None,
    most: int = 300,
) -> Detections:
    """Keep the best boxes of one image.

    Args:
        boxes_N4: left, top, right, bottom.
        scores_NC: confidence per class, 0 to 1. A score or a box that is not finite never passes.
        min_score: lowest score that passes.
        iou: a box that overlaps a better one of its class by more is dropped.
        iou_across_classes: the same for a better one of any other class; None keeps one box per class.
        most: boxes kept at most.

    Returns:
        Best first; none if no score reaches `min_score`.
    """
    cells_M, labels_M = np.nonzero(scores_NC >= min_score)
    usable = np.isfinite(boxes_N4[cells_M]).all(1) & np.isfinite(scores_NC[cells_M, labels_M])
    cells_M, labels_M = cells_M[usable], labels_M[usable]
    scores_M = scores_NC[cells_M, labels_M]
    order = np.argsort(-scores_M, kind="stable")[:MOST_CANDIDATES]
    boxes, labels, scores = boxes_N4[cells_M[order]], labels_M[order], scores_M[order]
    kept = suppress(boxes, labels, iou=iou, iou_across_classes=iou_across_classes, most=most)
    return Detections(
        boxes_xyxy_px=boxes[kept].astype(np.float32),
        scores=scores[kept].astype(np.float32),
        labels=labels[kept].astype(np.int64),
    )


def suppress(
    boxes_M4: NDArray[np.floating],
    labels_M: NDArray[np.integer],
    *,
    iou: float,
    iou_across_classes: float | None = None,
    most: int = 300,
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression of boxes given best first; indices that survive, best first."""
    left, top, right, bottom = np.ascontiguousarray(boxes_M4.T)
    area = box_area(boxes_M4)
    never = 2.0  # no overlap is more than twice the union
    same, other = iou, never if iou_across_classes is None else iou_across_classes
    dropped = np.zeros(len(boxes_M4), dtype=bool)
    kept: list[int] = []
    for best in range(len(boxes_M4)):
        if dropped[best]:
            continue
        kept.append(best)
        if len(kept) == most:
            break
        rest = slice(best + 1, None)
        width = np.minimum(right[rest], right[best]) - np.maximum(left[rest], left[best])
        height = np.minimum(bottom[rest], bottom[best]) - np.maximum(top[rest], top[best])
        overlap = np.maximum(width, 0) * np.maximum(height, 0)
        union = area[rest] + area[best] - overlap
        limit = np.where(labels_M[rest] == labels_M[best], same, other)
        dropped[rest] |= overlap > limit * union
    return np.asarray(kept, dtype=np.int64)


def vote(
    kept: Detections, boxes_N4: NDArray[np.float32], scores_NC: NDArray[np.float32], *, iou: float = 0.65
) -> Detections:
    """Each box that was kept becomes the mean of all that overlap it by `iou`, weighted by score in its class.

    Source: box voting after Gidaris and Komodakis 2015, "Object detection via a multi-region CNN".
    """
    usable = np.isfinite(boxes_N4).all(1) & np.isfinite(scores_NC).all(1)
    boxes_N4, scores_NC = boxes_N4[usable], scores_NC[usable]
    near_KN = pairwise_iou(kept.boxes_xyxy_px, boxes_N4) >= iou
    weights_KN = np.where(near_KN, scores_NC[:, kept.labels].T, 0)
    total_K1 = weights_KN.sum(1, keepdims=True)
    voted = np.divide(weights_KN @ boxes_N4, total_K1, out=kept.boxes_xyxy_px.copy(), where=total_K1 > 0)
    return replace(kept, boxes_xyxy_px=voted)


def pairwise_iou(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    """Overlap over union of every pair, (n, 4) and (m, 4) to (n, m); 0 where both are empty."""
    width = np.minimum(one[:, None, 2], other[:, 2]) - np.maximum(one[:, None, 0], other[:, 0])
    height = np.minimum(one[:, None, 3], other[:, 3]) - np.maximum(one[:, None, 1], other[:, 1])
    overlap = np.maximum(width, 0) * np.maximum(height, 0)
    union = box_area(one)[:, None] + box_area(other) - overlap
    ratio: NDArray[np.floating] = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return ratio


def box_area(boxes_xyxy: NDArray[np.floating]) -> NDArray[np.floating]:
    """Areas, (n, 4) to (n,); 0 for a box turned inside out."""
    size = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    area: NDArray[np.floating] = size[:, 0] * size[:, 1]
    return area
