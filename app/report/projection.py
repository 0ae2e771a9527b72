"""Survey positions onto a flat drawing in metres: north up, y downwards as a picture's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.sonar.waterfall import Floats, PositionUnits

EQUATOR_M = 6_378_137.0
"""Semi-major axis of WGS 84."""
ECCENTRICITY_SQUARED = 0.00669437999014


@dataclass(frozen=True, kw_only=True, slots=True)
class Projection:
    """Equirectangular around one point, true enough to draw a survey; or a grid as it is."""

    units: PositionUnits
    x0: float
    y0: float

    def metres(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Metres right of and below the origin."""
        right, down = self._scale()
        return self._shift(np.asarray(x) - self.x0) * right, (self.y0 - np.asarray(y)) * down

    def position(self, right_m: float, down_m: float) -> tuple[float, float]:
        """Back to degrees or to the grid."""
        right, down = self._scale()
        return self.x0 + right_m / right, self.y0 - down_m / down

    def _scale(self) -> tuple[float, float]:
        """Metres in one unit of x and of y at the origin."""
        if self.units is PositionUnits.METRES:
            return 1.0, 1.0
        sine = math.sin(math.radians(self.y0))
        curve = 1 - ECCENTRICITY_SQUARED * sine**2
        meridian_m = EQUATOR_M * (1 - ECCENTRICITY_SQUARED) / curve**1.5
        parallel_m = EQUATOR_M / math.sqrt(curve) * max(1e-6, math.cos(math.radians(self.y0)))
        return math.radians(parallel_m), math.radians(meridian_m)

    def _shift(self, difference: Floats) -> Floats:
        """Longitudes on the other side of 180 degrees are neighbours, not a turn away."""
        if self.units is PositionUnits.METRES:
            return difference
        return (difference + 180) % 360 - 180


def projection_around(xs: Sequence[float], ys: Sequence[float], units: PositionUnits) -> Projection:
    """A projection centred on positions."""
    x = np.asarray(xs, dtype=np.float64)
    if units is PositionUnits.DEGREES and np.ptp(x) > 180:
        x = x % 360
    x0 = float(x.min() + x.max()) / 2
    return Projection(units=units, x0=x0, y0=float(min(ys) + max(ys)) / 2)


def nice_step(extent: float, steps: int, units: PositionUnits | None = None) -> float:
    """A round distance that divides an extent into about so many steps; degrees go by minutes."""
    wanted = extent / max(1, steps)
    if units is PositionUnits.DEGREES:
        minutes = [
            0.001,
            0.002,
            0.005,
            0.01,
            0.02,
            0.05,
            0.1,
            0.2,
            0.5,
            1,
            2,
            5,
            10,
            15,
            30,
            60,
            120,
            300,
            900,
        ]
        return min((m / 60 for m in minutes), key=lambda step: abs(math.log(step / wanted)))
    power = 10.0 ** math.floor(math.log10(wanted))
    return min((power * n for n in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / wanted)))


def degrees_text(value: float, letters: str) -> str:
    """Degrees and decimal minutes, such as 48°26.745'N; the first letter is for positive values."""
    minutes = round(abs(value) * 60, 3)
    whole, minutes = divmod(minutes, 60)
    return f"{whole:.0f}°{minutes:06.3f}′{letters[0] if value >= 0 else letters[1]}"
