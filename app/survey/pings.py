"""Where the towfish was: position, heading and altitude, asked for by (fractional) ping number."""

from dataclasses import dataclass

import numpy as np

from app.sonar.navigation import unwrapped_deg, wrapped_deg
from app.sonar.waterfall import Floats, Navigation, PositionUnits, Waterfall

FIT_PINGS = 64
"""Window over which the distance between pings is taken: positions repeat and jitter from ping to ping."""
SMOOTH_PINGS = 33
"""Window for the position of one ping: a few seconds, in which a towfish hardly turns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PingState:
    """The towfish at one moment; None for what is not known."""

    time_s: float | None
    x: float | None
    y: float | None
    units: PositionUnits | None
    heading_deg: float | None
    altitude_m: float
    """0 where the altitude is unknown: slant range is then taken for ground range."""
    slant_range_m: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PingTable:
    """Consecutive pings without their samples; all arrays are (P,)."""

    first_ping: int
    samples: int
    """Raw samples per side."""
    navigation: Navigation
    altitude_m: Floats
    slant_range_m: Floats

    @property
    def end_ping(self) -> int:
        """One past the last ping."""
        return self.first_ping + len(self.slant_range_m)

    def at(self, ping: float) -> PingState:
        """The towfish at a ping number, interpolated between neighbours."""
        nav = self.navigation
        return PingState(
            time_s=self._value(nav.time_s, ping),
            x=self._smooth_x(ping) if self._is_placed(ping) else None,
            y=self._smooth(nav.y, ping) if self._is_placed(ping) else None,
            units=nav.units,
            heading_deg=self._heading(ping),
            altitude_m=self._value(self.altitude_m, ping) or 0.0,
            slant_range_m=self._value(self.slant_range_m, ping) or 0.0,
        )

    def _is_placed(self, ping: float) -> bool:
        """Whether a position is known so near that this ping's is too."""
        nav = self.navigation
        if nav.x is None or nav.y is None:
            return False
        first = max(0, int(ping - self.first_ping) - SMOOTH_PINGS // 2)
        near = slice(first, first + SMOOTH_PINGS)
        return bool((np.isfinite(nav.x[near]) & np.isfinite(nav.y[near])).any())

    def _value(self, values_P: Floats | None, ping: float) -> float | None:
        if values_P is None:
            return None
        known = np.isfinite(values_P)
        if not known.any():
            return None
        pings = self.first_ping + np.flatnonzero(known)
        return float(np.interp(ping, pings, values_P[known]))

    def _smooth_x(self, ping: float) -> float | None:
        x = self.navigation.x
        if x is None or self.navigation.units is not PositionUnits.DEGREES:
            return self._smooth(x, ping)
        # Half of a line may lie at -180, the other half at 180: the mean of both is on the other side of the earth.
        longitude_deg = self._smooth(unwrapped_deg(x), ping)
        return None if longitude_deg is None else float(wrapped_deg(np.array(longitude_deg)))

    def _smooth(self, values_P: Floats | None, ping: float) -> float | None:
        """Value of a straight line through the pings around: fixes repeat for some pings, then jump."""
        if values_P is None:
            return None
        first = max(0, int(ping - self.first_ping) - SMOOTH_PINGS // 2)
        near = values_P[first : first + SMOOTH_PINGS]
        known = np.flatnonzero(np.isfinite(near))
        if len(known) < 3:
            return self._value(values_P, ping)
        middle = near[known].mean()
        slope = np.polyfit(known - known.mean(), near[known] - middle, 1)[0]
        return float(middle + slope * (ping - self.first_ping - first - known.mean()))

    def _heading(self, ping: float) -> float | None:
        heading = self.navigation.heading_deg
        if heading is None:
            return None
        # Through north the mean of 359 and 1 is 0, not 180: interpolate the direction, not the number.
        east = self._value(np.sin(np.radians(heading)), ping)
        north = self._value(np.cos(np.radians(heading)), ping)
        if east is None or north is None:
            return None
        return float(np.degrees(np.arctan2(east, north)) % 360)


def ping_table(waterfall: Waterfall, navigation: Navigation, altitude_m: Floats) -> PingTable:
    """The pings of a waterfall with repaired navigation and chosen altitude."""
    return PingTable(
        first_ping=waterfall.first_ping,
        samples=waterfall.samples,
        navigation=navigation,
        altitude_m=np.asarray(altitude_m, dtype=np.float64),
        slant_range_m=waterfall.slant_range_m,
    )
