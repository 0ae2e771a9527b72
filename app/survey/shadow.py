"""The acoustic shadow behind an object, found in the corrected picture: it tells where the object ends and
how high it stands.

Shape suffixes: H rows, W pixels across track.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.survey.strip import Picture

DARKNESS = 0.55
"""A shadow lies this share of the way, or more, from the seabed's grey down to the darkest grey behind."""
LEAST_CONTRAST = 0.5
"""A dip that loses less than this share of the seabed's grey is no shadow."""
LEAST_PX = 2
BAND_ROWS, MOST_BANDS = 2.0, 12
"""Rows averaged at least against speckle, and bands, overlapping by half, that a box is divided into at most."""
LEAST_BANDS_SHARE = 0.3
"""In fewer bands than this a dark run is speckle."""
BEHIND_SHARE = 0.3
"""How far behind the box a shadow may begin, as a share of the box's width."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shadow:
    """Where a shadow begins and ends across track, in columns of the picture it was found in."""

    start_px: float
    end_px: float
    whole: bool
    """Whether the lit seabed was seen behind it."""


def find_shadows(image_HW: Picture, box_xyxy_px: tuple[float, float, float, float]) -> list[Shadow]:
    """Find the shadow inside or behind a box, band by band of its rows; empty where there is none.

    An object that lies askew, or rises to a point, throws a shadow that every row sees begin and end elsewhere:
    averaged over all rows it would be blurred.

    Args:
        image_HW: corrected picture around the box, far side to the right, ideally reaching well past the box.
        box_xyxy_px: left, top, right, bottom in that picture.
    """
    background = _background(image_HW, box_xyxy_px)
    left, top, right, bottom = box_xyxy_px
    begin, limit = max(0, int(left)), min(image_HW.shape[1], math.ceil(right))
    if limit - begin < LEAST_PX or background <= 0:
        return []
    rows = min(max(BAND_ROWS, (bottom - top) / MOST_BANDS * 2), bottom - top)
    found = [
        _band_shadow(_profile(image_HW, first, first + rows), begin, limit, background)
        for first in np.linspace(top, bottom - rows, _bands(bottom - top, rows))
    ]
    shadows = [shadow for shadow in found if shadow is not None]
    return shadows if len(shadows) >= LEAST_BANDS_SHARE * len(found) else []


def _bands(height: float, rows: float) -> int:
    """Bands of so many rows that overlap by half cover a height."""
    return max(1, round((height - rows) / (rows / 2)) + 1)


def _band_shadow(profile: NDArray[np.float32], begin: int, limit: int, background: float) -> Shadow | None:
    darkest = float(profile[begin : limit + _behind(begin, limit)].min())
    if darkest > (1 - LEAST_CONTRAST) * background:
        return None
    threshold = background - DARKNESS * (background - darkest)
    run = _largest_run(profile, begin, limit, threshold)
    if run is None:
        return None
    start, end = run
    # The lit side is brighter than the seabed, and smoothing carries it into the shadow: half-way is the edge.
    half_way = (float(profile[max(begin, start - 3) : start + 1].max()) + darkest) / 2
    while start > begin and profile[start - 1] < half_way:
        start -= 1
    return Shadow(
        start_px=_crossing(profile, start, half_way, rising=False),
        end_px=_crossing(profile, end, threshold, rising=True),
        whole=end + 1 < len(profile),
    )


def _behind(begin: int, limit: int) -> int:
    """How many pixels behind its box a shadow may begin."""
    return max(LEAST_PX, round(BEHIND_SHARE * (limit - begin)))


def _largest_run(
    profile: NDArray[np.float32], begin: int, limit: int, threshold: float
) -> tuple[int, int] | None:
    """First and last pixel of the shadow: the run of dark pixels that lacks most light.

    A wreck throws shadows onto itself; the one behind it is the largest. Runs begin in the box or right behind
    it, which may be drawn around the lit part alone, and may have gaps of one pixel.
    """
    missing = np.clip(threshold - profile, 0, None)
    best, best_missing = None, 0.0
    index, last_start = begin, min(len(profile), limit + _behind(begin, limit))
    while index < last_start:
        if missing[index] <= 0:
            index += 1
            continue
        end = index
        while end + 1 < len(profile) and missing[end + 1 : end + 3].any():
            end += 1 if missing[end + 1] > 0 else 2
        lacking = float(missing[index : end + 1].sum())
        if end - index + 1 >= LEAST_PX and lacking > best_missing:
            best, best_missing = (index, end), lacking
        index = end + 1
    return best


def shadow_height_m(*, start_slant_m: float, end_slant_m: float, altitude_m: float) -> float | None:
    """Height of the object above a flat seabed; None without altitude or shadow.

    The ray that grazes the object's top ends where the shadow ends: height and altitude are to each other as
    the shadow's length along that ray to the whole ray, in slant ranges.
    """
    if altitude_m <= 0 or end_slant_m <= start_slant_m:
        return None
    return (end_slant_m - start_slant_m) * altitude_m / end_slant_m


def _profile(image_HW: Picture, top: float, bottom: float) -> NDArray[np.float32]:
    """(W,) grey across track, averaged over rows, speckle smoothed."""
    first = min(max(0, round(top)), len(image_HW) - 1)
    last = max(first + 1, min(len(image_HW), round(bottom)))
    mean_1W = image_HW[first:last].mean(axis=0, dtype=np.float32)[None]
    smooth: NDArray[np.float32] = np.asarray(cv2.blur(mean_1W, (3, 1)), dtype=np.float32)[0]
    return smooth


def _background(image_HW: Picture, box_xyxy_px: tuple[float, float, float, float]) -> float:
    """Typical grey of the seabed beside the box along track, at the box's ranges."""
    left, top, right, bottom = box_xyxy_px
    columns = slice(max(0, int(left)), max(1, math.ceil(right)))
    beside = np.concatenate([image_HW[: max(0, int(top)), columns], image_HW[math.ceil(bottom) :, columns]])
    return float(np.median(beside)) if beside.size else float(np.median(image_HW))


def _crossing(reach: NDArray[np.float32], index: int, threshold: float, *, rising: bool) -> float:
    """Edge of the shadow, in pixel edges, where the profile crosses the threshold next to pixel `index`."""
    neighbour = index + 1 if rising else index - 1
    if not 0 <= neighbour < len(reach):
        return index + (1.0 if rising else 0.0)
    inner, outer = float(reach[index]), float(reach[neighbour])
    share = (threshold - inner) / (outer - inner) if outer > inner else 0.5
    share = min(max(share, 0.0), 1.0)
    return index + 0.5 + share if rising else index + 0.5 - share
