"""A merged box into a contact: where it lies, how large it is, how high it stands, and its picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from app.sonar.coordinates import offset_position, to_geographic
from app.sonar.waterfall import PositionUnits, Side
from app.survey.boxes import SeabedBox
from app.survey.contact import Contact
from app.survey.pings import PingState
from app.survey.shadow import Shadow, find_shadows, shadow_height_m
from app.survey.strip import Picture
from app.survey.track import spacing_near_m
from app.survey.window import Crop, Window

SHADOW_REACH, SHADOW_REACH_M = 2.0, 15.0
"""How far behind the box its shadow is followed: so many box widths and so many metres more."""
TOP_QUANTILE = 0.9
"""Of what the bands of an object tell, this quantile stands for its top and for its far end."""
HULL_ACROSS_M = 6.0
"""Boxes from this width on are ships and aircraft, drawn around the hull alone; in smaller ones the shadow is
seabed."""
THUMBNAIL_MARGIN = 0.8
"""Seabed shown around a box on each side, as a share of its longer side."""
THUMBNAIL_LEAST_PX = 96
"""A contact's picture covers at least so many pixels of the corrected picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a contact is measured with, apart from its box."""

    source: str
    window: Window
    class_names: Sequence[str]
    crs: str | None
    ping_spacing_m: float | None
    """For recordings without positions."""
    thumbnail_px: int


def measured_contact(box: SeabedBox, around: Surroundings) -> Contact:
    """Measure and place one object; its identifier is given later, when the file's contacts are in order."""
    centre_ping = (box.start_ping + box.end_ping) / 2
    pings = around.window.pings_around(centre_ping)
    state = pings.at(centre_ping)
    crop, box_px = _crop_with_shadow(box, around.window)
    shadows = find_shadows(crop.image_HW, box_px)
    height_m = _height_m(crop, shadows, state)
    ground_m = _object_ground_m(box, crop, shadows, height_m, state)
    extent_pings = box.end_ping - box.start_ping
    spacing_m = spacing_near_m(pings, centre_ping, extent_pings) or around.ping_spacing_m
    longitude, latitude, grid_x_m, grid_y_m = _place(box.side, ground_m, state, around.crs)
    thumbnail, thumbnail_box = _thumbnail(box, around)
    return Contact(
        identifier="",
        label=around.class_names[box.label],
        score=box.score,
        source=around.source,
        side=box.side,
        ping=round(centre_ping),
        ping_range=(math.ceil(box.start_ping), math.floor(box.end_ping)),
        sample_range=_sample_range(box, state, pings.samples),
        slant_range_m=math.hypot(ground_m, state.altitude_m),
        ground_range_m=ground_m,
        box_ground_m=(box.near_m, box.far_m),
        altitude_m=state.altitude_m or None,
        along_m=None if spacing_m is None else extent_pings * spacing_m,
        across_m=box.far_m - box.near_m,
        height_m=height_m,
        time_s=state.time_s,
        longitude=longitude,
        latitude=latitude,
        grid_x_m=grid_x_m,
        grid_y_m=grid_y_m,
        thumbnail=thumbnail,
        thumbnail_box_xyxy_px=thumbnail_box,
    )


def _crop_with_shadow(box: SeabedBox, window: Window) -> tuple[Crop, tuple[float, float, float, float]]:
    """The box with seabed before and after it and room for the shadow behind it."""
    extent, width_m = box.end_ping - box.start_ping, box.far_m - box.near_m
    crop = window.crop(
        box.side,
        start_ping=box.start_ping - extent,
        end_ping=box.end_ping + extent,
        near_m=box.near_m - 0.1 * width_m,
        far_m=box.far_m + SHADOW_REACH * width_m + SHADOW_REACH_M,
    )
    return crop, crop.box_px(
        start_ping=box.start_ping, end_ping=box.end_ping, near_m=box.near_m, far_m=box.far_m
    )


def _height_m(crop: Crop, shadows: Sequence[Shadow], state: PingState) -> float | None:
    """Height of the object's top: the highest of what its bands tell, save for what speckle may have made."""
    heights_m = [
        shadow_height_m(
            start_slant_m=math.hypot(crop.ground_m(shadow.start_px), state.altitude_m),
            end_slant_m=math.hypot(crop.ground_m(shadow.end_px), state.altitude_m),
            altitude_m=state.altitude_m,
        )
        for shadow in shadows
        if shadow.whole
    ]
    known = [height_m for height_m in heights_m if height_m is not None]
    return float(np.quantile(known, TOP_QUANTILE)) if known else None


def _object_ground_m(
    box: SeabedBox, crop: Crop, shadows: Sequence[Shadow], height_m: float | None, state: PingState
) -> float:
    """Ground range of the object itself, which is the lit part of its box; the shadow behind it is seabed.

    An echo from above the bottom comes back earlier than one from the seabed below it, so the picture shows
    the object too near; with the height known its place is put right. The lit part ends at the top, and begins
    somewhere between bottom and top, which depends on the shape: half the height is taken.
    """
    if not shadows:
        return (box.near_m + box.far_m) / 2
    lit_end_px = float(np.quantile([shadow.start_px for shadow in shadows], TOP_QUANTILE))
    lit_end_m = min(crop.ground_m(lit_end_px), box.far_m)
    if box.far_m - box.near_m >= HULL_ACROSS_M:
        lit_end_m = box.far_m
    if height_m is None:
        return (box.near_m + lit_end_m) / 2
    begin_m = _true_ground_m(box.near_m, height_m / 2, state.altitude_m)
    return (begin_m + _true_ground_m(lit_end_m, height_m, state.altitude_m)) / 2


def _true_ground_m(shown_m: float, above_bottom_m: float, altitude_m: float) -> float:
    """Ground range of an echo from above the bottom that the picture shows as if it came from the bottom."""
    below_towfish_m = max(0.0, altitude_m - above_bottom_m)
    return math.sqrt(shown_m**2 + altitude_m**2 - min(altitude_m, below_towfish_m) ** 2)


def _sample_range(box: SeabedBox, state: PingState, samples: int) -> tuple[int, int]:
    """First and last raw sample of the box: ground range back to slant range, and that to samples."""
    if state.slant_range_m <= 0 or samples == 0:
        return 0, max(0, samples - 1)
    near, far = (
        math.hypot(ground_m, state.altitude_m) / state.slant_range_m * samples
        for ground_m in (box.near_m, box.far_m)
    )
    first = min(max(0, math.floor(near)), samples - 1)
    return first, min(max(first, math.ceil(far) - 1), samples - 1)


def _place(
    side: Side, ground_m: float, state: PingState, crs: str | None
) -> tuple[float | None, float | None, float | None, float | None]:
    """Longitude, latitude, grid x, grid y; None for what positions, heading and CRS do not tell."""
    if state.x is None or state.y is None or state.units is None or state.heading_deg is None:
        return None, None, None, None
    bearing_deg = (state.heading_deg + (90 if side is Side.STARBOARD else -90)) % 360
    grid_x_m = grid_y_m = longitude = latitude = None
    if state.units is PositionUnits.METRES:
        grid_x_m = state.x + ground_m * math.sin(math.radians(bearing_deg))
        grid_y_m = state.y + ground_m * math.cos(math.radians(bearing_deg))
    towfish = to_geographic(state.x, state.y, state.units, crs)
    if towfish is not None:
        place = offset_position(*towfish, bearing_deg, ground_m)
        longitude, latitude = float(place[0]), float(place[1])
    return longitude, latitude, grid_x_m, grid_y_m


def _thumbnail(box: SeabedBox, around: Surroundings) -> tuple[Picture, tuple[int, int, int, int]]:
    """Picture around the box as the waterfall shows it: port looks to the left, starboard to the right."""
    probe = around.window.crop(
        box.side, start_ping=box.start_ping, end_ping=box.end_ping, near_m=box.near_m, far_m=box.far_m
    )
    height, width = probe.image_HW.shape
    side_px = max(THUMBNAIL_LEAST_PX, (1 + 2 * THUMBNAIL_MARGIN) * max(height, width))
    margin_pings = (side_px - height) / 2 * (box.end_ping - box.start_ping) / max(1, height)
    margin_m = (side_px - width) / 2 * probe.pixel_m
    crop = around.window.crop(
        box.side,
        start_ping=box.start_ping - margin_pings,
        end_ping=box.end_ping + margin_pings,
        near_m=box.near_m - margin_m,
        far_m=box.far_m + margin_m,
    )
    left, top, right, bottom = crop.box_px(
        start_ping=box.start_ping, end_ping=box.end_ping, near_m=box.near_m, far_m=box.far_m
    )
    image = crop.image_HW
    if box.side is Side.PORT:
        image = image[:, ::-1]
        left, right = image.shape[1] - right, image.shape[1] - left
    scale = min(1.0, around.thumbnail_px / max(image.shape))
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    corners = np.round(np.array([left, top, right, bottom]) * scale).astype(int)
    return np.ascontiguousarray(image), (int(corners[0]), int(corners[1]), int(corners[2]), int(corners[3]))
