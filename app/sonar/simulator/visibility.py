"""Whether a person could see an object in the finished picture; what nobody sees is not labelled."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

_RING_PX = 14
_TAIL = 0.05
"""Share of the surroundings that counts as unusually bright, and as much as unusually dark."""


def stands_out(
    image_HW: NDArray[np.uint8],
    box_xyxy_px: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.float64],
) -> bool:
    """Whether an object is clearly brighter or darker than the bottom around its box.

    `rows` and `columns` are where its lit cells appear; those outside the picture do not count. Seen is an
    object whose lit cells, or whose whole box with its shadows, hold more of either tail than chance gives.
    """
    height, width = image_HW.shape
    left, top = np.floor(box_xyxy_px[:2]).astype(int)
    right, bottom = np.ceil(box_xyxy_px[2:]).astype(int)
    grow = max(_RING_PX, (right - left) // 2, (bottom - top) // 2)
    around = slice(max(top - grow, 0), bottom + grow), slice(max(left - grow, 0), right + grow)
    calm = cv2.blur(image_HW, (3, 3))
    ring = np.zeros(image_HW.shape, bool)
    ring[around] = True
    ring[top:bottom, left:right] = False
    if not ring.any():
        return False
    dark, bright = np.percentile(calm[ring], (100 * _TAIL, 100 * (1 - _TAIL)))
    column = columns.astype(int)
    inside = (columns >= 0) & (column < width) & (rows >= 0) & (rows < height)
    cells = np.unique(rows[inside] * width + column[inside])
    return any(
        _tailed(values, dark, bright) for values in (calm.ravel()[cells], calm[top:bottom, left:right])
    )


def _tailed(values: NDArray[np.uint8], dark: float, bright: float) -> bool:
    """Whether one tail holds more than chance gives to so few values, neighbours of which are alike."""
    if not values.size:
        return False
    # At either end of the grey scale nothing can lie beyond: equal to it counts.
    above = np.mean(values > bright) if bright < 255 else np.mean(values == 255)
    below = np.mean(values < dark) if dark > 0 else np.mean(values == 0)
    return bool(max(above, below) > 1.8 * _TAIL + 0.8 / math.sqrt(values.size))
