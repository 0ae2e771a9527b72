"""From slant range to the bottom: the water column out, every pixel as wide as the next.

Source: Blondel 2009, "The Handbook of Sidescan Sonar", ch. 3: flat bottom, ground = sqrt(slant^2 - altitude^2).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.waterfall import Floats

OUTSIDE = -10.0
MAP_ROWS = 128
"""Rows resampled at once: their maps stay in the processor's cache (a third faster than all at once), and
cv2.remap takes no more than 32,767."""


def ground_range_m(slant_m: Any, altitude_m: Any) -> Any:
    """Distance on a flat bottom from below the towfish; 0 for what returns before the bottom does."""
    return np.sqrt(np.maximum(np.square(slant_m) - np.square(altitude_m), 0.0))


def slant_m_of_ground(ground_m: Any, altitude_m: Any) -> Any:
    """Slant range of a point on a flat bottom."""
    return np.hypot(ground_m, altitude_m)


def slant_to_ground(
    side_PS: NDArray[np.generic],
    slant_range_m: Floats,
    altitude_m: Floats,
    *,
    pixel_m: float,
    width_px: int,
) -> NDArray[np.generic]:
    """One side resampled to equal steps on the ground.

    Args:
        side_PS: (P, S) uint8, uint16 or float32, column 0 nearest.
        slant_range_m: (P,) range of the last sample; a row without (NaN) becomes 0.
        altitude_m: (P,) above the bottom; 0 leaves the water column in.
        pixel_m: width of a pixel on the ground.
        width_px: columns of the result; column 0 begins straight below the towfish.

    Returns:
        (P, width_px) in the type given, 0 beyond the range. Several samples in a pixel are averaged.
    """
    pings, samples = side_PS.shape
    source = np.ascontiguousarray(side_PS)
    sample_m = float(np.nanmedian(slant_range_m)) / samples if np.isfinite(slant_range_m).any() else pixel_m
    together = max(1, min(round(pixel_m / sample_m), samples // 8)) if sample_m > 0 else 1
    if together > 1:
        samples = samples // together
        source = cv2.resize(source[:, : samples * together], (samples, pings), interpolation=cv2.INTER_AREA)
    out = np.empty((pings, width_px), dtype=side_PS.dtype)
    centres_sq = np.square((np.arange(width_px, dtype=np.float32) + 0.5) * np.float32(pixel_m))
    told = np.isfinite(slant_range_m) & (slant_range_m > 0)
    per_metre = np.divide(samples, slant_range_m, out=np.zeros(pings), where=told).astype(np.float32)
    altitude_sq = np.square(np.nan_to_num(altitude_m)).astype(np.float32)
    lines = np.repeat(np.arange(min(MAP_ROWS, pings), dtype=np.float32)[:, None], width_px, axis=1)
    places = np.empty_like(lines)
    # cv2 would mix half of the border into the nearest column; nothing lies nearer than the first sample.
    nearest = slice(0, 1 + int(0.5 / (pixel_m * float(per_metre.max()))) if told.any() else 0)
    for start in range(0, pings, MAP_ROWS):
        rows = slice(start, min(start + MAP_ROWS, pings))
        columns = places[: rows.stop - start]
        np.add(centres_sq[None], altitude_sq[rows, None], out=columns)
        np.sqrt(columns, out=columns)
        columns *= per_metre[rows, None]
        columns -= np.float32(0.5)
        np.maximum(columns[:, nearest], 0, out=columns[:, nearest])
        columns[~told[rows]] = OUTSIDE
        cv2.remap(
            source[rows], columns, lines[: rows.stop - start], cv2.INTER_LINEAR, dst=out[rows], borderValue=0
        )
    return out
