"""A contact: one object on the seabed, found once, however many tiles and pings saw it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.sonar.waterfall import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """One detection merged across tiles, measured and placed on the map."""

    identifier: str
    """Stable within a report, such as `C0007`."""
    label: str
    score: float
    """Confidence, 0 to 1."""
    source: str
    """File the contact was found in, as its `FileReport` calls it."""
    side: Side
    ping: int
    """Centre ping, counted in the file's channel pair."""
    ping_range: tuple[int, int]
    """First and last ping of the box, inclusive."""
    sample_range: tuple[int, int]
    """First and last raw sample of the box, 0 nearest."""
    slant_range_m: float
    """Range of the object itself, along the beam."""
    ground_range_m: float
    """Distance of the object from the towfish's track, along the bottom."""
    box_ground_m: tuple[float, float]
    """Ground range of the box's near and far edge; the shadow is inside."""
    altitude_m: float | None
    """Towfish above the bottom at the centre ping; None where unknown: ground ranges are then too long."""
    along_m: float | None
    """Extent along track; None where the distance between pings is unknown."""
    across_m: float | None
    """Extent across track on the ground, highlight and shadow together."""
    height_m: float | None
    """From the shadow's length; None without a shadow or an altitude."""
    time_s: float | None
    longitude: float | None
    latitude: float | None
    """WGS 84 degrees; None where the file's grid is unnamed and no CRS was given."""
    grid_x_m: float | None
    grid_y_m: float | None
    """Position in the file's own grid, where it has one."""
    thumbnail: NDArray[np.uint8]
    """(H, W) grey picture around the contact, corrected, without box."""
    thumbnail_box_xyxy_px: tuple[int, int, int, int]
    """The box in the thumbnail."""
