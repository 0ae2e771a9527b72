"""Whether a person could see an object in the finished picture; what nobody sees is not labelled."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

_TAIL = 3.0
"""Percentile of the surroundings that counts as unusually dark, and 100 less it as unusually bright."""
_RING_PX = 14


def stands_out(image_HW: NDArray[np.uint8], box_xyxy_px: NDArray[np.float64]) -> bool:
    """Whether a box holds clearly more bright or dark pixels than the bottom around it."""
    height, width = image_HW.shape
    left, top = np.floor(box_xyxy_px[:2]).astype(int)
    right, bottom = np.ceil(box_xyxy_px[2:]).astype(int)
    grow = max(_RING_PX, (right - left) // 2, (bottom - top) // 2)
    x0, y0 = max(left - grow, 0), max(top - grow, 0)
    around = image_HW[y0 : min(bottom + grow, height), x0 : min(right + grow, width)]
    smooth = cv2.blur(around, (3, 3))
    inside = np.zeros(smooth.shape, bool)
    inside[top - y0 : bottom - y0, left - x0 : right - x0] = True
    box, ring = smooth[inside], smooth[~inside]
    if not len(box) or not len(ring):
        return False
    dark, bright = np.percentile(ring, (_TAIL, 100 - _TAIL))
    # At either end of the grey scale nothing can lie beyond: equal to it counts.
    above = (box > bright) if bright < 255 else (box >= 255)
    below = (box < dark) if dark > 0 else (box <= 0)
    # Mere bottom has 3 % in either tail, more by chance where the box is small.
    least = 0.05 + 0.3 / math.sqrt(len(box))
    return bool(max(above.mean(), below.mean()) > least)
