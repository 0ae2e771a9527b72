"""Where the towfish is at each ping of a line: position, heading, altitude. Local metres east and north."""

from dataclasses import dataclass

import cv2
import numpy as np

from app.sonar.coordinates import offset_position
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.waterfall import Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One line as sailed, each of shape (P,)."""

    east_m: Floats
    north_m: Floats
    """From the plan's starting point."""
    heading_rad: Floats
    """Clockwise from north, where the towfish points: its beams stand square to this, not to the course."""
    altitude_m: Floats
    pitch_deg: Floats
    roll_deg: Floats
    time_s: Floats

    def part(self, rows: slice) -> "Track":
        """Some of its pings."""
        return Track(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def nearest_ping(self, east_m: float, north_m: float) -> tuple[int, float]:
        """The ping whose beam meets a point, and how far out to starboard (port below 0) it lies."""
        de, dn = east_m - self.east_m, north_m - self.north_m
        sin, cos = np.sin(self.heading_rad), np.cos(self.heading_rad)
        ping = int(np.argmin(np.abs(de * sin + dn * cos)))
        return ping, float(de[ping] * cos[ping] - dn[ping] * sin[ping])


def line_start(plan: SurveyPlan, line: int) -> tuple[float, float, float]:
    """East and north in metres of the line's beginning, and its course in radians."""
    course = np.deg2rad(plan.heading_deg)
    along = np.array((np.sin(course), np.cos(course)))
    across = np.array((np.cos(course), -np.sin(course)))
    start = across * plan.line_spacing_m * line
    if line % 2:
        start, course = start + along * plan.length_m, course + np.pi
    return float(start[0]), float(start[1]), float(course)


def sail(plan: SurveyPlan, line: int) -> Track:
    """The line with its wobble, yaw and ups and downs, fixed by the plan's seed."""
    rng = np.random.default_rng((plan.seed, line, 1))
    pings = plan.pings
    east, north, course = line_start(plan, line)
    run = np.arange(pings) * plan.ping_spacing_m
    aside = 0.4 * _wander(rng, pings, 400)
    track_east = east + run * np.sin(course) + aside * np.cos(course)
    track_north = north + run * np.cos(course) - aside * np.sin(course)
    made_good = course + np.arctan(np.gradient(aside, plan.ping_spacing_m))
    yaw = np.deg2rad(plan.yaw_deg) * (0.7 * _wander(rng, pings, 300) + 0.3 * _wander(rng, pings, 40))
    heave = plan.altitude_m * (0.05 * _wander(rng, pings, 500) + 0.004 * _wander(rng, pings, 60))
    return Track(
        east_m=track_east,
        north_m=track_north,
        heading_rad=np.mod(made_good + yaw, 2 * np.pi),
        altitude_m=np.clip(plan.altitude_m + heave, 0.6 * plan.altitude_m, 1.5 * plan.altitude_m),
        pitch_deg=0.5 * _wander(rng, pings, 80),
        roll_deg=0.8 * _wander(rng, pings, 60),
        time_s=plan.start_time_s
        + line * (plan.pings / plan.ping_rate_hz + 120)
        + np.arange(pings) / plan.ping_rate_hz,
    )


def to_degrees(plan: SurveyPlan, east_m: Floats, north_m: Floats) -> tuple[Floats, Floats]:
    """Longitude and latitude of local positions: along the geodesic from the plan's starting point."""
    bearing, distance = np.rad2deg(np.arctan2(east_m, north_m)), np.hypot(east_m, north_m)
    origin = np.full_like(distance, plan.longitude), np.full_like(distance, plan.latitude)
    longitude, latitude = offset_position(*origin, bearing, distance)
    return np.asarray(longitude), np.asarray(latitude)


def _wander(rng: np.random.Generator, pings: int, pings_a_knot: int) -> Floats:
    """Smooth random values of about unit size."""
    knots = rng.standard_normal((max(4, pings // pings_a_knot + 3), 1))
    return np.asarray(cv2.resize(knots, (1, pings), interpolation=cv2.INTER_CUBIC), dtype=np.float64).ravel()
