"""Optional smoothing of speckle for people's eyes; the detector is trained with speckle and needs none."""

import cv2
import numpy as np
from numpy.typing import NDArray


def despeckle(image_RW: NDArray[np.uint8], *, window_px: int = 5) -> NDArray[np.uint8]:
    """Lee filter: the local mean where there is only speckle, the pixel itself where there is structure.

    Source: Lee 1980, "Digital image enhancement and noise filtering by use of local statistics". The noise level
    is taken as the median of the local coefficients of variation.
    """
    if window_px < 3 or window_px % 2 == 0:
        raise ValueError(f"window_px={window_px} must be odd and at least 3; try 5")
    image = image_RW.astype(np.float32)
    mean = cv2.blur(image, (window_px, window_px))
    variance = np.maximum(cv2.blur(image * image, (window_px, window_px)) - mean * mean, 0)
    variation = variance / np.maximum(mean * mean, 1.0)
    noise = float(np.median(variation[mean > 0])) if (mean > 0).any() else 0.0
    keep = np.clip(1 - noise / np.maximum(variation, 1e-6), 0, 1)
    return np.asarray(np.clip(mean + keep * (image - mean), 0, 255), dtype=np.uint8)
