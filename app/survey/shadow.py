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
LEAST_CONTRAST = 0.35
"""A dip that loses less than this share of the seabed's grey is no shadow."""
LEAST_PX = 2
BEHIND_SHARE = 0.3
"""How far behind the box a shadow may begin, as a share of the box's width."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shadow:
    """Where a shadow begins and ends across track, in columns of the picture it was found in."""

    start_px: float
    end_px: float
    whole: bool
    """Whether the lit seabed was seen behind it."""


def find_shadow(image_HW: Picture, box_xyxy_px: tuple[float, float, float, float]) -> Shadow | None:
    """Find the shadow inside or behind a box; None where there is none.

    Args:
        image_HW: corrected picture around the box, far side to the right, ideally reaching well past the box.
        box_xyxy_px: left, top, right, bottom in that picture.
    """
    left, top, right, bottom = box_xyxy_px
    profile = _profile(image_HW, top, bottom)
    background = _background(image_HW, box_xyxy_px)
    begin, limit = max(0, int(left)), min(len(profile), math.ceil(right))
    if limit - begin < LEAST_PX or background <= 0:
        return None
    peak = begin + int(np.argmax(profile[begin:limit]))
    # The shadow begins in the box, or right behind a box that was drawn around the lit part alone.
    reach = profile[peak:]
    inside = reach[: limit - peak + max(LEAST_PX, round(BEHIND_SHARE * (limit - begin)))]
    darkest = float(inside.min())
    if darkest > (1 - LEAST_CONTRAST) * background:
        return None
    threshold = background - DARKNESS * (background - darkest)
    dark = reach < threshold
    first = int(np.argmin(inside))
    start = first
    while start > 0 and dark[start - 1]:
        start -= 1
    end = first
    while end + 1 < len(dark) and (dark[end + 1] or (end + 2 < len(dark) and dark[end + 2])):
        end += 1
    if end - start + 1 < LEAST_PX:
        return None
    # The lit side is brighter than the seabed, and smoothing carries it into the shadow: half-way is the edge.
    half_way = (float(reach[max(0, start - 3) : start + 1].max()) + darkest) / 2
    while start > 0 and reach[start - 1] < half_way:
        start -= 1
    return Shadow(
        start_px=peak + _crossing(reach, start, half_way, rising=False),
        end_px=peak + _crossing(reach, end, threshold, rising=True),
        whole=end + 1 < len(dark),
    )


def shadow_height_m(*, start_slant_m: float, end_slant_m: float, altitude_m: float) -> float | None:
    """Height of the object above a flat seabed; None without altitude or shadow.

    The ray that grazes the object's top ends where the shadow ends: height and altitude are to each other as
    the shadow's length along that ray to the whole ray, in slant ranges.
    """
    if altitude_m <= 0 or end_slant_m <= start_slant_m:
        return None
    return (end_slant_m - start_slant_m) * altitude_m / end_slant_m


def _profile(image_HW: Picture, top: float, bottom: float) -> NDArray[np.float32]:
    """(W,) grey across track through the middle of the box, speckle smoothed."""
    margin = 0.2 * (bottom - top)
    first = min(max(0, int(top + margin)), len(image_HW) - 1)
    last = max(first + 1, min(len(image_HW), math.ceil(bottom - margin)))
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
