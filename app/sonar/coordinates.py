"""Positions on the earth: grids to degrees, distances, and points at a bearing and a distance."""

from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from app.errors import SettingsError
from app.sonar.waterfall import Floats, Navigation, PositionUnits

WGS84 = Geod(ellps="WGS84")
SPACING_STRIDE = 32
"""Pings between the two positions of a distance: fixes repeat and jitter, over some seconds they do not."""


@lru_cache(maxsize=8)
def _to_degrees(crs: str) -> Transformer:
    try:
        grid = CRS.from_user_input(crs)
        transformer = Transformer.from_crs(grid, "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise SettingsError(
            f"--crs {crs!r} is unknown; give a code such as EPSG:32619 (UTM zone 19 north)"
        ) from error
    if not grid.is_projected:
        raise SettingsError(
            f"--crs {crs!r} is no grid in metres; give the grid of the positions, "
            "such as EPSG:32619 (UTM zone 19 north)"
        )
    # Of the horizontal axes alone; heights of a compound system play no part.
    foreign = [axis.unit_name for axis in grid.axis_info[:2] if axis.unit_conversion_factor != 1]
    if foreign:
        # The degrees would be right, but distances in the file's own numbers not: sizes, spacing, areas.
        raise SettingsError(
            f"--crs {crs!r} is a grid whose unit is the {foreign[0]}; allowed are grids in metres: convert "
            "the recording's positions to one, such as EPSG:32619 (UTM zone 19 north), and give that"
        )
    return transformer


def to_geographic(x: Any, y: Any, units: PositionUnits | None, crs: str | None) -> tuple[Any, Any] | None:
    """Longitude and latitude, WGS 84, of positions (numbers or arrays).

    Args:
        crs: grid of projected positions, such as `EPSG:32619`; not used for degrees.

    Returns:
        None where there are no positions, or where they lie in a grid that nobody named. A position outside
        the grid is NaN in an array, and None if it is the only one.

    Raises:
        SettingsError: the CRS is unknown, or no grid in metres.
    """
    if units is None:
        return None
    if units is PositionUnits.DEGREES:
        return x, y
    if crs is None:
        return None
    longitude, latitude = (np.where(np.isfinite(v), v, np.nan) for v in _to_degrees(crs).transform(x, y))
    if np.ndim(x) == 0:
        return (float(longitude), float(latitude)) if np.isfinite(longitude) else None
    return longitude, latitude


def offset_position(longitude: Any, latitude: Any, bearing_deg: Any, distance_m: Any) -> tuple[Any, Any]:
    """The point at a bearing (clockwise from north) and a distance on the ellipsoid."""
    end_x, end_y, _ = WGS84.fwd(longitude, latitude, bearing_deg, distance_m)
    return end_x, end_y


def distances_m(x: Floats, y: Floats, units: PositionUnits, stride: int = 1) -> Floats:
    """Distance of each position to the one `stride` later, (P - stride,)."""
    if units is PositionUnits.DEGREES:
        known = np.isfinite(x) & np.isfinite(y)
        safe_x, safe_y = np.where(known, x, 0.0), np.where(known, y, 0.0)
        _, _, metres = WGS84.inv(safe_x[:-stride], safe_y[:-stride], safe_x[stride:], safe_y[stride:])
        return np.where(known[:-stride] & known[stride:], metres, np.nan)
    return np.hypot(x[stride:] - x[:-stride], y[stride:] - y[:-stride])


def ping_spacing_m(navigation: Navigation) -> float | None:
    """Median distance between pings, from positions, else from speed and time; None where neither is known.

    A projected grid is taken as metric: distances inside one need no name of it.
    """
    if navigation.x is not None and navigation.y is not None and navigation.units is not None:
        stride = min(SPACING_STRIDE, len(navigation.x) - 1)
        if stride > 0:
            steps = distances_m(navigation.x, navigation.y, navigation.units, stride) / stride
            spacing = _positive_median(steps)
            if spacing is not None:
                return spacing
    if navigation.speed_mps is not None and len(navigation.time_s) > 1:
        interval = _positive_median(np.diff(navigation.time_s))
        speed = _positive_median(navigation.speed_mps)
        if interval is not None and speed is not None:
            return interval * speed
    return None


def _positive_median(values: Floats) -> float | None:
    useful = values[np.isfinite(values) & (values > 0)]
    return float(np.median(useful)) if len(useful) else None
