"""Position, attitude and time of XTF pings: what is unset or absurd becomes NaN, or None for a whole file."""

import numpy as np
from numpy.typing import NDArray

from app.sonar.waterfall import Floats, Navigation, PositionUnits
from app.sonar.xtf_position import SHIP, TOWFISH, behind_ship, position_of, units_of

KNOT_MPS = 0.514444
"""XTF gives speeds in knots."""
RANGE_LIMIT_M = 3000.0
SPEED_LIMIT_MPS = 25.0
LAYBACK_LIMIT_M = 10_000.0


def navigation_of(
    headers: NDArray[np.void], slant_range_m: Floats, nav_units: int, *, ships: bool
) -> tuple[Navigation, tuple[str, ...]]:
    """Navigation of pings; exact zeros mean unset, as every writer leaves them.

    Args:
        ships: whether the ship's positions are taken, see `is_ships`.
    """
    x, y = position_of(headers, SHIP if ships else TOWFISH)
    units, warnings = units_of(x, y, nav_units)
    if units is PositionUnits.DEGREES:
        with np.errstate(invalid="ignore"):
            # Some writers count longitudes from 0 to 360.
            x = np.where((x > 180) & (x <= 360), x - 360, x)
            nowhere = (np.abs(x) > 180) | (np.abs(y) > 90)
        x, y = np.where(nowhere, np.nan, x), np.where(nowhere, np.nan, y)
    heading, gyro = (_or_none(_set(headers[name], 0, 360)) for name in ("heading", "ship_gyro"))
    if ships and units is not None:
        layback_m = _set(headers["layback"], 0, LAYBACK_LIMIT_M)
        course = heading if gyro is None else gyro
        x, y, warning = behind_ship(x, y, units, layback_m=layback_m, heading_deg=course)
        warnings = (*warnings, warning)
    if heading is None:
        heading = gyro
    speed = _or_none(_set(headers["speed"] * KNOT_MPS, 0, SPEED_LIMIT_MPS))
    if speed is None:
        speed = _or_none(_set(headers["ship_speed"] * KNOT_MPS, 0, SPEED_LIMIT_MPS))
    altitude = _set(headers["altitude"], 0, RANGE_LIMIT_M)
    with np.errstate(invalid="ignore"):
        altitude = np.where(altitude > slant_range_m, np.nan, altitude)
    navigation = Navigation(
        time_s=unix_time_s(headers),
        x=None if units is None else x,
        y=None if units is None else y,
        units=units,
        heading_deg=heading,
        altitude_m=_or_none(altitude),
        speed_mps=speed,
        pitch_deg=_tilt(headers["pitch"]),
        roll_deg=_tilt(headers["roll"]),
    )
    return navigation, warnings


def slant_range_of(channel: NDArray[np.void], headers: NDArray[np.void]) -> Floats:
    """Range of the last sample; from the ping's duration where the range is unset, else NaN."""
    told = _set(channel["slant_range"], 0, RANGE_LIMIT_M)
    # SoundVelocity holds half the speed of sound (two-way travel), 750 where it is usual.
    half_speed = _set(headers["sound_velocity"], 100, 1000)
    half_speed = np.where(np.isnan(half_speed), 750.0, half_speed)
    timed = _set(channel["duration"] * half_speed, 0, RANGE_LIMIT_M)
    return np.where(np.isnan(told), timed, told)


def unix_time_s(headers: NDArray[np.void]) -> Floats:
    """Seconds since 1970, UTC; NaN where a field is impossible."""
    year, month, day = (headers[k].astype(np.int64) for k in ("year", "month", "day"))
    hour, minute, second = (headers[k].astype(np.int64) for k in ("hour", "minute", "second"))
    possible = (year >= 1970) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    possible &= (hour < 24) & (minute < 60) & (second < 61)
    months = (np.where(possible, year, 1970) - 1970) * 12 + np.where(possible, month, 1) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    seconds = days * 86400.0 + hour * 3600 + minute * 60 + second + headers["centisecond"] / 100
    return np.where(possible, seconds, np.nan)


def _set(values: NDArray[np.generic], low: float, high: float) -> Floats:
    """Values within bounds; NaN for zero, for what is not finite and for what is absurd."""
    with np.errstate(invalid="ignore"):
        numbers = values.astype(np.float64)
        bad = ~np.isfinite(numbers) | (numbers == 0) | (numbers < low) | (numbers > high)
    return np.where(bad, np.nan, numbers)


def _tilt(values: NDArray[np.generic]) -> Floats | None:
    """Pitch or roll: a single zero is level flight, zeros throughout are an unset field."""
    tilt = _or_none(_set(values, -90, 90))
    return None if tilt is None else np.where(values == 0, 0.0, tilt)


def _or_none(values: Floats) -> Floats | None:
    return None if np.isnan(values).all() else values
