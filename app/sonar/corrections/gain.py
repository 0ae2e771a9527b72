"""Even brightness: what range, beam and gain settings did to the picture is taken out."""

import cv2
import numpy as np
from numpy.typing import NDArray

LOCAL_MEAN = 95.0
"""Brightness of an undisturbed bottom in the result; speckle leaves room up to 255 above it."""
ROWS_TOGETHER = 16
"""Rows averaged before the trend is estimated, for speed: the trend changes over hundreds of rows."""
TREND_ROWS, TREND_COLUMNS = 513, 17
"""Window of the across-track trend: long enough that a wreck of a hundred pings does not become the trend."""
BRIGHT_LIMIT = 2.0
"""Values above this multiple of the trend count as this multiple: targets must not darken what is around them."""


def normalise_gain(image_RW: NDArray[np.generic], *, local_mean: float = LOCAL_MEAN) -> NDArray[np.uint8]:
    """Divide by the across-track trend and by each ping's own gain.

    Args:
        image_RW: (R, W) any depth, one side, column 0 nearest. A block of at least some hundred rows gives a
            steady trend; each block is corrected by itself, and no state is carried over.
        local_mean: brightness that the bottom gets.

    Returns:
        (R, W) uint8; where nothing was recorded it stays 0.
    """
    rows, width = image_RW.shape
    if rows == 0 or width == 0:
        return np.zeros((rows, width), dtype=np.uint8)
    image = image_RW.astype(np.float32) if image_RW.dtype != np.float32 else np.asarray(image_RW)
    trend = _trend(image)
    inverse = np.where(
        trend > 1e-6 * max(float(trend.max()), 1e-6), local_mean / np.maximum(trend, 1e-9), 0.0
    )
    inverse = inverse.astype(np.float32)
    full = cv2.resize(inverse, (width, rows), interpolation=cv2.INTER_LINEAR)
    full *= image
    full *= _row_gain(full, local_mean)[:, None]
    return np.asarray(cv2.convertScaleAbs(full), dtype=np.uint8)


def _trend(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over a tall window, robust to bright spots; one row for every `ROWS_TOGETHER`."""
    rows, width = image.shape
    small = cv2.resize(image, (width, max(1, rows // ROWS_TOGETHER)), interpolation=cv2.INTER_AREA)
    window = (TREND_COLUMNS, max(1, min(TREND_ROWS // ROWS_TOGETHER, 2 * small.shape[0] - 1)))
    for _ in range(2):
        trend = cv2.blur(small, window, borderType=cv2.BORDER_REFLECT)
        small = np.minimum(small, BRIGHT_LIMIT * trend)
    return np.asarray(cv2.blur(small, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _row_gain(image: NDArray[np.float32], local_mean: float) -> NDArray[np.float32]:
    """Factor that brings each row's median to the common one; the median is blind to targets and shadows.

    Bounded, so that a dropout stays dark instead of becoming amplified noise.
    """
    sparse = image[:, :: max(1, image.shape[1] // 96)]
    filled = np.where(sparse > 0, sparse, np.nan)
    empty = np.isnan(filled).all(1)
    filled[empty] = local_mean
    medians = np.nanmedian(filled, axis=1)
    # The median of speckle lies below its mean; the common median keeps the overall level.
    factor: NDArray[np.float64] = np.median(medians) / np.maximum(medians, 1e-3)
    return np.clip(factor, 0.5, 2.0).astype(np.float32)
