"""Repair of navigation: gaps and outliers filled, heading from the track where it is missing."""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.sonar.coordinates import WGS84
from app.sonar.waterfall import Floats, Navigation, PositionUnits

MEDIAN_WINDOW = 31
"""Pings of the running median that an outlier is measured against."""
OUTLIER_M = 30.0
"""A position further off the running median, also than ten times the usual and half a window's way, is dropped."""
TRACK_PINGS = 20
"""Half of the stretch whose ends give the track's direction."""
METRES_PER_DEGREE = 111_320.0
LONGEST_GAP_PINGS = 2048
"""Some minutes: positions missing for longer are not interpolated, the line may have turned meanwhile."""
HELD_PINGS = 64
"""So long the nearest position stands where there is one on one side only: some metres of way."""


def repair_navigation(navigation: Navigation) -> tuple[Navigation, tuple[str, ...]]:
    """Positions without gaps and jumps, heading wherever the track or the file tells it.

    Gaps up to `LONGEST_GAP_PINGS` are interpolated over pings, and at the ends the nearest position stands for
    `HELD_PINGS`. What nobody knows stays NaN, or None throughout.

    Returns:
        The navigation, and a line for each kind of repair.
    """
    warnings: list[str] = []
    x, y, units = navigation.x, navigation.y, navigation.units
    if x is None or y is None or units is None:
        return navigation, ()
    degrees = units is PositionUnits.DEGREES
    if degrees:
        x = unwrapped_deg(x)
    bad = _outliers(x, y, units)
    if bad.any():
        x, y = np.where(bad, np.nan, x), np.where(bad, np.nan, y)
        warnings.append(f"{int(bad.sum())} positions far off the track were dropped")
    missing = np.isnan(x) | np.isnan(y)
    lost = _too_far_from_fixes(~missing)
    if missing.any() and not missing.all():
        x, y = fill_gaps(np.where(missing, np.nan, x)), fill_gaps(np.where(missing, np.nan, y))
    if (mended := int((missing & ~lost).sum())) > 0:
        warnings.append(f"{mended} pings without position were interpolated")
    heading = navigation.heading_deg
    if heading is None or np.isnan(heading).any():
        course = track_bearing_deg(x, y, units)
        if course is not None:
            told = np.full(len(x), np.nan) if heading is None else heading
            warnings.append(f"{int(np.isnan(told).sum())} headings were taken from the track")
            heading = np.where(np.isnan(told), course, told)
    if lost.any():
        x, y = np.where(lost, np.nan, x), np.where(lost, np.nan, y)
    x = wrapped_deg(x) if degrees else x
    return replace(navigation, x=x, y=y, heading_deg=heading), tuple(warnings)


def fixes_to_trust(x: Floats, y: Floats, units: PositionUnits) -> NDArray[np.bool_]:
    """Which positions are there and not far off the track."""
    x = unwrapped_deg(x) if units is PositionUnits.DEGREES else x
    return np.isfinite(x) & np.isfinite(y) & ~_outliers(x, y, units)


def _too_far_from_fixes(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pings whose position the known ones around them do not tell."""
    if known.all():
        return ~known
    index, never = np.arange(len(known)), len(known)
    before = np.maximum.accumulate(np.where(known, index, -never))
    after = np.minimum.accumulate(np.where(known, index, 2 * never)[::-1])[::-1]
    between = (before >= 0) & (after < never)
    held_pings = np.minimum(index - before, after - index)
    too_far = np.where(between, after - before - 1 > LONGEST_GAP_PINGS, held_pings > HELD_PINGS)
    return ~known & (too_far | (not known.any()))


def fill_gaps(values: Floats) -> Floats:
    """NaN replaced by interpolation between neighbours; all NaN stays so."""
    known = np.isfinite(values)
    if known.all() or not known.any():
        return values
    index = np.arange(len(values))
    return np.interp(index, index[known], values[known])


def unwrapped_deg(longitude_deg: Floats) -> Floats:
    """Longitudes without the jump at 180 degrees, beyond which they go on: means and slopes hold then."""
    known = np.isfinite(longitude_deg)
    if not known.any() or np.ptp(longitude_deg[known]) <= 180:
        return longitude_deg
    unwrapped = longitude_deg.copy()
    unwrapped[known] = np.unwrap(longitude_deg[known], period=360)
    return unwrapped


def wrapped_deg(longitude_deg: Floats) -> Floats:
    """Longitudes from -180 to 180."""
    beyond = np.abs(longitude_deg) > 180
    return (
        np.where(beyond, (longitude_deg + 180) % 360 - 180, longitude_deg) if beyond.any() else longitude_deg
    )


def track_bearing_deg(x: Floats, y: Floats, units: PositionUnits) -> Floats | None:
    """Direction of travel at each ping, clockwise from north; None where the positions do not move."""
    count = len(x)
    if count < 2 or np.isnan(x).any() or np.isnan(y).any():
        return None
    index = np.arange(count)
    back, ahead = np.maximum(index - TRACK_PINGS, 0), np.minimum(index + TRACK_PINGS, count - 1)
    if units is PositionUnits.DEGREES:
        bearing, _, metres = WGS84.inv(x[back], y[back], x[ahead], y[ahead])
    else:
        east, north = x[ahead] - x[back], y[ahead] - y[back]
        bearing, metres = np.degrees(np.arctan2(east, north)), np.hypot(east, north)
    moving = np.asarray(metres) > 0.05
    if not moving.any():
        return None
    # Interpolated as a unit vector: the mean of 359 and 1 degrees is 0.
    angle = np.radians(np.asarray(bearing))
    east = fill_gaps(np.where(moving, np.sin(angle), np.nan))
    north = fill_gaps(np.where(moving, np.cos(angle), np.nan))
    return np.degrees(np.arctan2(east, north)) % 360


def _outliers(x: Floats, y: Floats, units: PositionUnits) -> NDArray[np.bool_]:
    known = np.isfinite(x) & np.isfinite(y)
    bad = np.zeros(len(x), dtype=bool)
    if known.sum() < MEDIAN_WINDOW:
        return bad
    east_scale, north_scale = 1.0, 1.0
    if units is PositionUnits.DEGREES:
        north_scale = METRES_PER_DEGREE
        east_scale = METRES_PER_DEGREE * float(np.cos(np.radians(np.nanmedian(y))))
    east, north = x[known] * east_scale, y[known] * north_scale
    off_m = np.hypot(_off_median(east), _off_median(north))
    # At the ends the window is mirrored, and the median lies up to half a window's way off the track.
    half = MEDIAN_WINDOW // 2
    way_m = float(np.median(np.hypot(east[half:] - east[:-half], north[half:] - north[:-half])))
    bad[known] = off_m > max(OUTLIER_M, way_m, 10 * float(np.median(off_m)))
    return bad


def _off_median(values: Floats) -> Floats:
    half = MEDIAN_WINDOW // 2
    padded = np.pad(values, half, mode="reflect")
    return values - np.median(sliding_window_view(padded, MEDIAN_WINDOW), axis=1)
