"""The one form that every recording takes: pings x samples per side, with ranges and navigation.

Shape suffixes: P pings, S samples. Column 0 of either side is nearest to the towfish.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Side(StrEnum):
    """Which transducer looked there."""

    PORT = "port"
    STARBOARD = "starboard"


class PositionUnits(StrEnum):
    """What x and y of a navigation record mean."""

    DEGREES = "degrees"
    """x longitude, y latitude, WGS 84."""
    METRES = "metres"
    """x easting, y northing in a grid that the file does not name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Navigation:
    """Per-ping position and attitude, each of shape (P,), NaN where the file leaves a ping unset.

    A field that the whole file leaves unset is None, never zeros.
    """

    time_s: Floats
    """Unix time, UTC."""
    x: Floats | None = None
    """Longitude in degrees or easting in metres, see `units`."""
    y: Floats | None = None
    """Latitude in degrees or northing in metres."""
    units: PositionUnits | None = None
    heading_deg: Floats | None = None
    """Clockwise from north, 0 to 360."""
    altitude_m: Floats | None = None
    """Towfish above the bottom."""
    speed_mps: Floats | None = None
    pitch_deg: Floats | None = None
    roll_deg: Floats | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Waterfall:
    """Consecutive pings of one channel pair: raw intensities in the file's own depth.

    A side that was not recorded is None; both sides have the same P, and S may differ between files
    but not inside one waterfall (shorter pings are padded with 0 at the far end).
    """

    source: str
    """File name, for messages and contacts."""
    first_ping: int
    """Index of row 0 in the file, counting the pings of this channel pair."""
    port_PS: NDArray[np.generic] | None
    starboard_PS: NDArray[np.generic] | None
    slant_range_m: Floats
    """(P,) range of the last sample; NaN where unset."""
    navigation: Navigation
    frequency_khz: float | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def pings(self) -> int:
        """Number of rows."""
        return len(self.slant_range_m)

    @property
    def samples(self) -> int:
        """Columns of a side; 0 where neither was recorded."""
        sides = (self.port_PS, self.starboard_PS)
        return max((side.shape[1] for side in sides if side is not None), default=0)

    def side(self, side: Side) -> NDArray[np.generic] | None:
        """Raw intensities (P, S) of one side, column 0 nearest; None if it was not recorded."""
        return self.port_PS if Side(side) is Side.PORT else self.starboard_PS
