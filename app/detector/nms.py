"""From every cell's box to the boxes that count: threshold, then non-maximum suppression, in numpy."""

import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections

BEFORE_NMS = 1000
"""Best candidates of an image that suppression looks at."""


def select(
    boxes_N4: NDArray[np.float32],
    scores_NC: NDArray[np.float32],
    *,
    min_score: float,
    iou: float = 0.5,
    most: int = 300,
) -> Detections:
    """Keep the best boxes of one image.

    Args:
        boxes_N4: left, top, right, bottom.
        scores_NC: confidence per class, 0 to 1; values that are not finite never pass.
        iou: a box that overlaps a better one of its class by more is dropped.
        most: boxes kept at most.

    Returns:
        Best first; none if no score reaches `min_score`.
    """
    cells, labels = np.nonzero(scores_NC >= min_score)
    scores = scores_NC[cells, labels]
    order = np.argsort(-scores, kind="stable")[:BEFORE_NMS]
    cells, labels, scores = cells[order], labels[order], scores[order]
    boxes = boxes_N4[cells]
    kept = suppress(boxes, labels, iou=iou)[:most]
    return Detections(
        boxes_xyxy_px=boxes[kept].astype(np.float32),
        scores=scores[kept].astype(np.float32),
        labels=labels[kept].astype(np.int64),
    )


def suppress(
    boxes_xyxy: NDArray[np.floating], labels: NDArray[np.integer], *, iou: float
) -> NDArray[np.int64]:
    """Indices that survive, for boxes given best first; classes do not suppress one another."""
    alive = np.ones(len(boxes_xyxy), dtype=bool)
    kept: list[int] = []
    for index in range(len(boxes_xyxy)):
        if not alive[index]:
            continue
        kept.append(index)
        rest = np.flatnonzero(alive[index + 1 :] & (labels[index + 1 :] == labels[index])) + index + 1
        if len(rest):
            overlap = pairwise_iou(boxes_xyxy[index : index + 1], boxes_xyxy[rest])[0]
            alive[rest[overlap > iou]] = False
    return np.asarray(kept, dtype=np.int64)


def pairwise_iou(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    """Overlap over union of every pair, (n, 4) and (m, 4) to (n, m); 0 where both are empty."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    area_one = np.clip(one[:, 2:] - one[:, :2], 0, None).prod(-1)
    area_other = np.clip(other[:, 2:] - other[:, :2], 0, None).prod(-1)
    union = area_one[:, None] + area_other[None] - overlap
    ratio: NDArray[np.floating] = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return ratio
