"""Sides of a ping that were recorded with ranges, or numbers of samples, of their own: brought to one range.

Shape suffixes: P pings, S samples.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.range_setting import is_same_range, typical_range_m
from app.sonar.waterfall import Floats


def at_one_range(
    samples: dict[int, NDArray[np.generic]], ranges_m: dict[int, Floats], slant_range_m: Floats
) -> tuple[dict[int, NDArray[np.generic]], Floats]:
    """Every side with as many metres a sample, and the range of the last one.

    One factor a side for the whole block: a range that is damaged in single pings moves nothing.

    Args:
        samples: (P, S) by channel number, all of them as wide.
        ranges_m: (P,) by channel number, range of the last column; NaN where unset.
        slant_range_m: (P,) the same of the first side that tells it.

    Returns:
        Both as given where the sides agree, as nearly all do. Else the longest range is that of all, and the others
        are squeezed, 0 beyond their ends.
    """
    factors = {number: _factor(range_m / slant_range_m) for number, range_m in ranges_m.items()}
    longest = max(factors.values(), default=1.0)
    if all(is_same_range(1.0, factor) for factor in factors.values()):
        return samples, slant_range_m
    return {n: _squeezed(s, factors[n] / longest) for n, s in samples.items()}, slant_range_m * longest


def _factor(shares_P: Floats) -> float:
    return typical_range_m(shares_P) or 1.0


def _squeezed(side_PS: NDArray[np.generic], share: float) -> NDArray[np.generic]:
    """The side in the first `share` of its columns."""
    pings, width = side_PS.shape
    columns = max(1, round(share * width))
    if columns == width:
        return side_PS
    squeezed = np.zeros_like(side_PS)
    squeezed[:, :columns] = cv2.resize(
        np.ascontiguousarray(side_PS), (columns, pings), interpolation=cv2.INTER_AREA
    )
    return squeezed
