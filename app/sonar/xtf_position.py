"""Whose position an XTF file gives, what its numbers mean, and where the towfish is if they are the ship's."""

import mmap

import numpy as np
from numpy.typing import NDArray

from app.sonar.coordinates import offset_position
from app.sonar.navigation import fill_gaps, track_bearing_deg, unwrapped_deg
from app.sonar.waterfall import Floats, PositionUnits
from app.sonar.xtf_file import let_go
from app.sonar.xtf_index import PingIndex
from app.sonar.xtf_layout import PING, PING_BYTES

METRES, DEGREES = 0, 3
"""Values of the header's NavUnits."""
LOOKED_AT_PINGS = 256
"""Pings, spread over the whole file, whose headers tell whose positions it holds."""
TOWFISH, SHIP = ("x", "y"), ("ship_x", "ship_y")
SHIPS = "positions are the ship's, the file has none of the towfish: "


def is_ships(data: mmap.mmap, index: PingIndex) -> bool:
    """Whether the ship's positions are to be taken: the towfish's are unset, or set in less than half as many pings.

    Decided for the whole file: from block to block, a line would jump between ship and towfish.
    """
    looked_at = np.unique(np.linspace(0, len(index) - 1, LOOKED_AT_PINGS).astype(np.int64))
    raw = b"".join(data[at : at + PING_BYTES] for at in index.offsets[looked_at].tolist())
    let_go(data, int(index.offsets[0]), int(index.offsets[-1]))
    headers = np.frombuffer(raw, PING)
    towfish, ship = (int(np.isfinite(position_of(headers, of)[0]).sum()) for of in (TOWFISH, SHIP))
    return 2 * towfish < ship


def position_of(headers: NDArray[np.void], names: tuple[str, str]) -> tuple[Floats, Floats]:
    """x and y as stored; NaN where unset or absurd."""
    with np.errstate(invalid="ignore"):
        x, y = (headers[name].astype(np.float64) for name in names)
        absurd = (np.abs(x) > 1e8) | (np.abs(y) > 1e8)
    unset = ~np.isfinite(x) | ~np.isfinite(y) | ((x == 0) & (y == 0)) | absurd
    return np.where(unset, np.nan, x), np.where(unset, np.nan, y)


def units_of(x: Floats, y: Floats, nav_units: int) -> tuple[PositionUnits | None, tuple[str, ...]]:
    """What positions mean: the values decide, since headers lie; degrees only where all could be degrees."""
    if np.isnan(x).all():
        return None, ()
    # From 180 to 360 a number is a longitude only where the header says so too: local grids have such eastings.
    far_east = 360 if nav_units == DEGREES else 180
    possible = bool(np.nanmedian(np.abs(x)) <= far_east and np.nanmedian(np.abs(y)) <= 90)
    possible &= bool(np.nanmedian(x) >= -180)
    if nav_units == DEGREES and not possible:
        return PositionUnits.METRES, (
            "the header says degrees, the positions are no degrees: taken as metres",
        )
    if nav_units == METRES and possible:
        return PositionUnits.DEGREES, ("the header says metres, the positions look like degrees: taken so",)
    return (PositionUnits.DEGREES if possible else PositionUnits.METRES), ()


def behind_ship(
    x: Floats, y: Floats, units: PositionUnits, *, layback_m: Floats, heading_deg: Floats | None
) -> tuple[Floats, Floats, str]:
    """The towfish's positions from the ship's, and a warning that says how they were got.

    Args:
        layback_m: (P,) distance over ground from the ship to the towfish; NaN where unset.
        heading_deg: the ship's, along which the cable trails through the water; without it the track's direction.
    """
    if heading_deg is None or np.isnan(heading_deg).all():
        way_x = unwrapped_deg(x) if units is PositionUnits.DEGREES else x
        heading_deg = track_bearing_deg(fill_gaps(way_x), fill_gaps(y), units)
    if heading_deg is None or np.isnan(layback_m).all():
        return (
            x,
            y,
            SHIPS + "behind a towing ship contacts lie off by the layback (it, or the heading, is unset)",
        )
    turn_rad = np.radians(heading_deg)
    # Gaps are filled in sine and cosine: halfway between 359 and 1 degrees is 0.
    east, north = fill_gaps(np.sin(turn_rad)), fill_gaps(np.cos(turn_rad))
    astern_deg, layback_m = np.degrees(np.arctan2(-east, -north)), fill_gaps(layback_m)
    if units is PositionUnits.DEGREES:
        x, y = offset_position(x, y, astern_deg, layback_m)
    else:
        x = x + layback_m * np.sin(np.radians(astern_deg))
        y = y + layback_m * np.cos(np.radians(astern_deg))
    return x, y, SHIPS + "moved astern by the layback that it tells"
