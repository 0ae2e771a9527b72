"""Which range a stretch of pings was recorded with, and whether two ranges are one setting."""

import numpy as np

from app.sonar.waterfall import Floats

SAME_RANGE = 0.02
"""A range that changes by more than this is a new setting: by less, the speed of sound was measured anew."""


def typical_range_m(slant_range_m: Floats) -> float | None:
    """Median of the ranges that are known; None where none is."""
    known = slant_range_m[np.isfinite(slant_range_m) & (slant_range_m > 0)]
    return float(np.median(known)) if known.size else None


def is_same_range(first_m: float, second_m: float) -> bool:
    """Whether two ranges are one setting."""
    return abs(second_m - first_m) <= SAME_RANGE * first_m
