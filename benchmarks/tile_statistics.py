"""What the comparison of simulated with real tiles measures: figures of one grey tile and of one labelled box.

A box's surroundings are a ring around it; grey values of 0 are places without data and count nowhere.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Floats = NDArray[np.float64]

WINDOW_PX = 16
"""Small against the slow changes of the bottom, large against speckle."""
RAYLEIGH_CV = 0.5227
"""Deviation over mean of a Rayleigh amplitude, sqrt(4 / pi - 1): one look."""

TILE_FIGURES = {
    "mean grey": "of what has data",
    "share black": "pixels without data",
    "share saturated": "pixels of 250 and more",
    "local variation": f"deviation over mean in windows of {WINDOW_PX} px, median; a Rayleigh amplitude has .523",
    "equivalent looks": "(.523 / local variation)^2",
    "bright tail": "99.5th percentile over median",
    "correlation along": "px at which the bottom's autocorrelation falls to 1/e, along the track",
    "correlation across": "the same across the track",
    "slow variation": "deviation over mean of window means",
}
BOX_FIGURES = {
    "width": "px",
    "height": "px",
    "aspect": "width over height",
    "highlight": "95th percentile in the box over the median around it",
    "lit share": "part of the box brighter than 1.8 times its surroundings, smoothed over 3 px",
    "shadow": "darkest twentieth within box and a box's width to either side, smoothed, over the median around",
    "shadow share": "part of the box darker than .45 times its surroundings, smoothed",
    "edge": "steepest step across the track around the box over its whole range of grey, 1/px",
}


def tile_figures(image: Grey, boxes_xyxy_px: NDArray[np.float32]) -> dict[str, float] | None:
    """`TILE_FIGURES` of a tile; None where hardly any bottom is seen outside the boxes."""
    data = image > 0
    free = data.copy()
    for left, top, right, bottom in boxes_xyxy_px.astype(int):
        free[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = False
    windows = [
        image[y : y + WINDOW_PX, x : x + WINDOW_PX].astype(float)
        for y in range(0, image.shape[0] - WINDOW_PX + 1, WINDOW_PX)
        for x in range(0, image.shape[1] - WINDOW_PX + 1, WINDOW_PX)
        if free[y : y + WINDOW_PX, x : x + WINDOW_PX].mean() > 0.9
    ]
    # The water column and other places without an echo are no bottom.
    level = float(np.median(image[data])) if data.any() else 0.0
    windows = [w for w in windows if w.mean() > 0.25 * level]
    if len(windows) < 12 or level == 0:
        return None
    variation = float(np.median([w.std() / w.mean() for w in windows]))
    means = np.array([w.mean() for w in windows])
    return {
        "mean grey": float(image[data].mean()),
        "share black": 1 - float(data.mean()),
        "share saturated": float((image >= 250).mean()),
        "local variation": variation,
        "equivalent looks": (RAYLEIGH_CV / max(variation, 0.02)) ** 2,
        "bright tail": float(np.percentile(image[free], 99.5)) / level,
        "correlation along": _correlation_px(windows, 0),
        "correlation across": _correlation_px(windows, 1),
        "slow variation": float(means.std() / means.mean()),
    }


def _correlation_px(windows: list[NDArray[np.float64]], axis: int) -> float:
    """Lag at which the mean autocorrelation falls to 1/e, between whole lags by a straight line."""
    longest = WINDOW_PX // 2
    curve = np.zeros(longest + 1)
    for window in windows:
        values = np.moveaxis(window - window.mean(), axis, 0)
        for lag in range(longest + 1):
            curve[lag] += (values[: len(values) - lag] * values[lag:]).mean()
    curve /= curve[0] if curve[0] > 0 else 1.0
    below = np.flatnonzero(curve < np.exp(-1))
    if not len(below):
        return float(longest)
    first = int(below[0])
    return first - 1 + float((curve[first - 1] - np.exp(-1)) / (curve[first - 1] - curve[first]))


def normalised_histogram(image: Grey) -> Floats:
    """Grey levels over their mean, places without data left out: a sample of a few hundred."""
    values = image[image > 0]
    if not len(values):
        return np.zeros(0)
    return np.asarray(values[:: max(1, len(values) // 400)] / values.mean(), dtype=np.float64)


def box_figures(image: Grey, box_xyxy_px: NDArray[np.float32]) -> dict[str, float] | None:
    """`BOX_FIGURES` of a box; None for one that the tile's edge cuts, or without surroundings."""
    left, top, right, bottom = (round(float(v)) for v in box_xyxy_px)
    height, width = image.shape
    if (
        left < 2
        or top < 2
        or right > width - 2
        or bottom > height - 2
        or right - left < 4
        or bottom - top < 4
    ):
        return None
    ring = np.zeros(image.shape, bool)
    reach = max(14, (right - left) // 2, (bottom - top) // 2)
    ring[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = True
    ring[top:bottom, left:right] = False
    ring &= image > 0
    if ring.sum() < 100:
        return None
    around = max(float(np.median(image[ring])), 1.0)
    calm = cv2.blur(image, (3, 3)).astype(float) / around
    inside = calm[top:bottom, left:right]
    wide = calm[top:bottom, max(left - (right - left), 0) : right + (right - left)]
    rows = calm[top:bottom, max(left - 6, 0) : right + 6]
    spread = float(np.percentile(rows, 98) - np.percentile(rows, 2))
    return {
        "width": float(right - left),
        "height": float(bottom - top),
        "aspect": (right - left) / (bottom - top),
        "highlight": float(np.percentile(image[top:bottom, left:right], 95)) / around,
        "lit share": float((inside > 1.8).mean()),
        "shadow": float(np.percentile(wide, 5)),
        "shadow share": float((inside < 0.45).mean()),
        "edge": float(np.percentile(np.abs(np.diff(rows, axis=1)), 99)) / max(spread, 0.05),
    }


def wasserstein(a: Floats, b: Floats) -> float:
    """1-Wasserstein distance of two samples: mean distance of their quantiles."""
    at = (np.arange(400) + 0.5) / 400
    return float(np.abs(np.quantile(a, at) - np.quantile(b, at)).mean())
