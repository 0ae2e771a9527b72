"""Fitting an image into a square tile without changing its aspect."""

import cv2
import numpy as np
from numpy.typing import NDArray

PAD_VALUE = 0


def letterbox(image_HW: NDArray[np.uint8], size_px: int) -> tuple[NDArray[np.uint8], float]:
    """Fit an image into a square, padded at the right and at the bottom.

    Args:
        image_HW: grey.
        size_px: side of the square. Larger images are scaled down; smaller ones are not scaled up.

    Returns:
        (size_px, size_px) image, and the scale: box in the square = box in the image x scale.
    """
    height, width = image_HW.shape
    scale = min(1.0, size_px / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image_HW = cv2.resize(image_HW, size, interpolation=cv2.INTER_AREA)
    square = np.full((size_px, size_px), PAD_VALUE, dtype=np.uint8)
    square[: image_HW.shape[0], : image_HW.shape[1]] = image_HW
    return square, scale
