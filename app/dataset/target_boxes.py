"""Where a known target stands in the corrected rows of a line: side, rows and columns, shadow included."""

from dataclasses import dataclass

import numpy as np

from app.dataset.known_targets import KnownTarget
from app.dataset.survey_rows import SurveyRows
from app.sonar.waterfall import Floats, Side

METRES_PER_DEGREE = 111_320.0
DEFAULT_SIZE_M = 2.0
"""Side of a target whose size is not given."""
LEAST_SIDE_PX = 4.0
"""A box is at least so large: positions are not better than that."""
SHADOW_SHARE, SHADOW_LIMIT_M = 0.15, 6.0
"""A small target's box takes in its shadow up to this share of its longer side; that of an object longer than
the limit holds the hull alone, whose shadow may be several times its size. So simulated tiles are labelled too."""
SEEN_ALONG_M = 5.0
"""A line has passed a target when some row looks at it to within this distance along track."""

KEEP_VISIBLE = 0.3
"""Part of a box that must be recorded, and in a tile, to be labelled there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetBox:
    """One pass of one target."""

    target: KnownTarget
    side: Side
    left: float
    """Columns and rows of `SurveyRows`, at pixel edges; the box may stick out."""
    top: float
    right: float
    bottom: float


def target_boxes(rows: SurveyRows, target: KnownTarget) -> list[TargetBox]:
    """Every pass of a target in these rows; none where the line does not see it."""
    along_m, across_m = _offsets_m(rows, target)
    boxes: list[TargetBox] = []
    for row in _abeam(along_m):
        side = Side.STARBOARD if across_m[row] > 0 else Side.PORT
        box = _box(rows, target, side, row, float(along_m[row]), abs(float(across_m[row])))
        known = any(_overlap(box, other) for other in boxes)
        if side in rows.images and not known and _visible(box, rows) >= KEEP_VISIBLE:
            boxes.append(box)
    return boxes


def _offsets_m(rows: SurveyRows, target: KnownTarget) -> tuple[Floats, Floats]:
    """Metres from each row's towfish to the target: ahead, and to starboard. Flat earth: ranges are short."""
    east = (target.longitude - rows.longitude_R + 180) % 360 - 180
    east = east * METRES_PER_DEGREE * np.cos(np.radians(target.latitude))
    north = (target.latitude - rows.latitude_R) * METRES_PER_DEGREE
    heading = np.radians(rows.heading_deg_R)
    ahead = east * np.sin(heading) + north * np.cos(heading)
    return ahead, east * np.cos(heading) - north * np.sin(heading)


def _abeam(along_m: Floats) -> list[int]:
    """Rows that look at the target best: where it passes from ahead to behind, and the ends of the rows."""
    before = np.flatnonzero(np.diff(np.sign(along_m)) != 0)
    closer = np.where(np.abs(along_m[before]) <= np.abs(along_m[before + 1]), before, before + 1)
    rows = np.unique(np.concatenate((closer, [0, len(along_m) - 1])))
    rows = rows[np.abs(along_m[rows]) <= SEEN_ALONG_M]
    # The best first: a wandering heading crosses zero several times in one pass.
    return [int(r) for r in rows[np.argsort(np.abs(along_m[rows]), kind="stable")]]


def _box(
    rows: SurveyRows, target: KnownTarget, side: Side, row: int, along_m: float, range_m: float
) -> TargetBox:
    along_size, across_size = _extent_m(target, float(rows.heading_deg_R[row]))
    shadow_m = _shadow_m(target, max(along_size, across_size), range_m, float(rows.altitude_m_R[row]))
    far_m = range_m + across_size / 2 + shadow_m
    centre = row + 0.5 + along_m / rows.pixel_m
    half = max(along_size / rows.pixel_m, LEAST_SIDE_PX) / 2
    left, right = (range_m - across_size / 2) / rows.pixel_m, far_m / rows.pixel_m
    missing = max(0.0, LEAST_SIDE_PX - (right - left)) / 2
    return TargetBox(
        target=target,
        side=side,
        left=max(0.0, left - missing),
        top=centre - half,
        right=right + missing,
        bottom=centre + half,
    )


def _extent_m(target: KnownTarget, track_deg: float) -> tuple[float, float]:
    """Extent along and across track; the larger size both ways where nobody knows how the target lies."""
    known = [v for v in (target.length_m, target.width_m) if v is not None]
    if not known:
        return DEFAULT_SIZE_M, DEFAULT_SIZE_M
    length, width = known[0], known[-1]
    if target.heading_deg is None:
        return max(known), max(known)
    angle = np.radians(target.heading_deg - track_deg)
    along, across = abs(float(np.cos(angle))), abs(float(np.sin(angle)))
    # As an ellipse: hulls and wings fill no rectangle, whose corners would widen the box by a third at 45 degrees.
    return float(np.hypot(length * along, width * across)), float(np.hypot(length * across, width * along))


def _shadow_m(target: KnownTarget, longest_m: float, range_m: float, altitude_m: float) -> float:
    """Part of the shadow on a flat bottom that belongs into the box; 0 where the height is unknown."""
    if target.height_m is None or altitude_m <= 0 or longest_m > SHADOW_LIMIT_M:
        return 0.0
    above_m = altitude_m - target.height_m
    shadow_m = range_m * target.height_m / above_m if above_m > 0 else range_m
    return min(shadow_m, SHADOW_SHARE * longest_m)


def _visible(box: TargetBox, rows: SurveyRows) -> float:
    """Part of a box that the rows hold."""
    height, width = rows.images[box.side].shape
    across = min(box.right, width) - max(box.left, 0)
    along = min(box.bottom, height) - max(box.top, 0)
    area = (box.right - box.left) * (box.bottom - box.top)
    return float(max(0.0, across) * max(0.0, along) / area)


def _overlap(box: TargetBox, other: TargetBox) -> bool:
    return box.side is other.side and box.top < other.bottom and other.top < box.bottom
