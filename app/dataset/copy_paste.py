"""Pasting a target with its shadow into another tile, as augmentation."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.dataset.augment import Source


def paste(target: Source, base: Source, rng: np.random.Generator) -> Source:
    """Copy one target of `target` with its surroundings (its shadow) into `base` at the same range.

    The column stays, because shadow length and resolution belong to the range; the row is random. Without room
    (other width, or a target there already) `base` is returned as it is.
    """
    image, boxes, labels = target
    into, into_boxes, into_labels = base
    if not len(boxes) or image.shape[1] != into.shape[1]:
        return base
    pick = int(rng.integers(len(boxes)))
    left, top, right, bottom = boxes[pick]
    margin_x, margin_y = (right - left), (bottom - top) * 0.25
    x0, x1 = int(max(0, left - margin_x)), int(min(image.shape[1], right + margin_x))
    y0, y1 = int(max(0, top - margin_y)), int(min(image.shape[0], bottom + margin_y))
    height = y1 - y0
    if height >= into.shape[0] or x1 - x0 < 4 or height < 4:
        return base
    row = int(rng.integers(into.shape[0] - height))
    if _covers_any(into_boxes, (x0, row, x1, row + height)):
        return base
    patch = image[y0:y1, x0:x1].astype(np.float32)
    region = into[row : row + height, x0:x1].astype(np.float32)
    patch *= (region.mean() + 1) / (patch.mean() + 1)
    mask = np.zeros(patch.shape, dtype=np.float32)
    mask[2:-2, 2:-2] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 2)
    out = into.copy()
    out[row : row + height, x0:x1] = np.clip(patch * mask + region * (1 - mask), 0, 255).astype(np.uint8)
    moved = boxes[pick] + np.array([0, row - y0, 0, row - y0], dtype=np.float32)
    return (
        out,
        np.concatenate((into_boxes, moved[None])),
        np.concatenate((into_labels, labels[pick : pick + 1])),
    )


def _covers_any(boxes: NDArray[np.float32], region_xyxy_px: tuple[int, int, int, int]) -> bool:
    left, top, right, bottom = region_xyxy_px
    across = (boxes[:, 0] < right) & (boxes[:, 2] > left)
    along = (boxes[:, 1] < bottom) & (boxes[:, 3] > top)
    return bool((across & along).any())
