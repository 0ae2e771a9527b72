"""The towfish's way, kept thin while pings stream past: points for the map, length and area in full."""

from collections.abc import Collection

import numpy as np

from app.sonar.coordinates import distances_m, to_geographic
from app.sonar.navigation import track_bearing_deg
from app.sonar.waterfall import Floats, PositionUnits, Side
from app.survey.pings import FIT_PINGS, PingTable
from app.survey.result import Track

MOST_POINTS = 2000


def spacing_near_m(pings: PingTable, ping: float, extent_pings: float) -> float | None:
    """Distance between pings around one place, over a stretch so long that single positions do not matter.

    Args:
        pings: the pings of the block.
        ping: centre of the stretch.
        extent_pings: at least so many pings are looked at.

    Returns:
        Metres per ping; None where positions are missing.
    """
    nav = pings.navigation
    if nav.x is None or nav.y is None or nav.units is None:
        return None
    half = max(FIT_PINGS, extent_pings) / 2
    first = max(0, int(ping - pings.first_ping - half))
    last = min(len(nav.x), int(ping - pings.first_ping + half) + 1)
    known = first + np.flatnonzero(np.isfinite(nav.x[first:last]) & np.isfinite(nav.y[first:last]))
    if len(known) < 2:
        return None
    ends = known[[0, -1]]
    return float(distances_m(nav.x[ends], nav.y[ends], nav.units)[0] / (ends[1] - ends[0]))


def crab_angles_deg(pings: PingTable) -> list[float]:
    """Angles from the track to the heading, -180 to 180, every few pings; empty without either."""
    nav = pings.navigation
    if nav.x is None or nav.y is None or nav.units is None or nav.heading_deg is None:
        return []
    course_deg = track_bearing_deg(nav.x, nav.y, nav.units)
    if course_deg is None:
        return []
    angles = ((nav.heading_deg - course_deg + 180) % 360 - 180)[:: FIT_PINGS // 4]
    return [float(angle) for angle in angles if np.isfinite(angle)]


class TrackKeeper:
    """Gathers positions block by block; when there are too many points, every other one is dropped."""

    def __init__(self, crs: str | None = None) -> None:
        """Nothing yet; `crs` is the grid of positions in metres."""
        self._crs = crs
        self._points: list[Floats] = []
        self._length_m = 0.0
        self._area_m2 = 0.0
        self._last: tuple[float, float] | None = None
        self._units: PositionUnits | None = None
        self.left_the_grid = False
        """Whether a position lay outside the grid; such positions are no part of the track."""

    def push(self, pings: PingTable, *, sides: Collection[Side]) -> None:
        """Add the pings that follow, recorded on these sides.

        Raises:
            SettingsError: the CRS is unknown, or no grid in metres.
        """
        nav = pings.navigation
        if nav.x is None or nav.y is None or nav.units is None:
            return
        known = np.flatnonzero(np.isfinite(nav.x) & np.isfinite(nav.y))
        if not known.size:
            return
        # Summed over every ping, jitter of positions would count as way: measure every few pings.
        kept = known[np.unique(np.append(np.arange(0, len(known), FIT_PINGS // 4), len(known) - 1))]
        degrees = to_geographic(nav.x[kept], nav.y[kept], nav.units, self._crs)
        self._units = nav.units if degrees is None else PositionUnits.DEGREES
        shown = np.stack((nav.x[kept], nav.y[kept]) if degrees is None else degrees, axis=1)
        inside = np.isfinite(shown).all(axis=1)
        self.left_the_grid = self.left_the_grid or not bool(inside.all())
        kept, shown = kept[inside], shown[inside]
        if not kept.size:
            return
        x, y = way_x, way_y = nav.x[kept], nav.y[kept]
        if self._last is not None:
            way_x, way_y = np.append(self._last[0], way_x), np.append(self._last[1], way_y)
        self._last = float(x[-1]), float(y[-1])
        length_m = float(distances_m(way_x, way_y, nav.units).sum())
        self._length_m += length_m
        reach_m = _reach_m(pings)
        self._area_m2 += length_m * len(sides) * reach_m
        port_m, starboard_m = (
            np.full(len(kept), reach_m if side in sides else 0.0) for side in (Side.PORT, Side.STARBOARD)
        )
        heading = np.full(len(kept), np.nan) if nav.heading_deg is None else nav.heading_deg[kept]
        self._points.append(np.column_stack([pings.first_ping + kept, shown, heading, port_m, starboard_m]))
        self._thin()

    def finish(self) -> tuple[Track | None, float | None]:
        """The track, in degrees where they are known, and the area covered in km2; None without positions."""
        if not self._points or self._units is None:
            return None, None
        points = np.concatenate(self._points)
        heading = points[:, 3]
        track = Track(
            ping=points[:, 0],
            x=points[:, 1],
            y=points[:, 2],
            units=self._units,
            heading_deg=heading if np.isfinite(heading).any() else None,
            port_m=points[:, 4],
            starboard_m=points[:, 5],
            length_m=self._length_m,
        )
        return track, self._area_m2 / 1e6

    def _thin(self) -> None:
        points = np.concatenate(self._points)
        while len(points) > MOST_POINTS:
            # The newest point stays: it is the end of the line.
            points = np.concatenate([points[:-1:2], points[-1:]])
        self._points = [points]


def _reach_m(pings: PingTable) -> float:
    """Ground range that a side reaches, typical of the block."""
    known = pings.slant_range_m[np.isfinite(pings.slant_range_m)]
    if not known.size:
        return 0.0
    return float(np.sqrt(max(0.0, np.median(known) ** 2 - np.median(pings.altitude_m) ** 2)))
