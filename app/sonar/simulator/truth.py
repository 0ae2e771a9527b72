"""What a line really passed: each labelled object with its box in raw samples and its place on the earth."""

from dataclasses import dataclass

import numpy as np

from app.sonar.simulator.beam import look
from app.sonar.simulator.boxes import see
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.scene import Scene
from app.sonar.simulator.shape import Placed
from app.sonar.simulator.track import Track, to_degrees
from app.sonar.waterfall import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """One object as one line saw it."""

    number: int
    """The object's number in the survey: the same on every line that passes it."""
    label: str
    source: str
    """File name of the line."""
    side: Side
    ping: int
    """Whose beam meets the object's middle."""
    ping_range: tuple[int, int]
    """First and last ping of the box, inclusive."""
    sample_range: tuple[int, int]
    """First and last raw slant sample of the box, inclusive, 0 nearest; the box is drawn as in training tiles:
    highlight with the near part of the shadow for a target, the hull alone for a ship or an aircraft."""
    shadow_end_sample: int
    """Where the whole shadow ends."""
    slant_range_m: float
    """Of the object's middle at half its height."""
    ground_range_m: float
    longitude: float
    latitude: float
    height_m: float
    length_m: float
    width_m: float
    heading_deg: float
    """Of the object's length, clockwise from north."""


def find_truth(plan: SurveyPlan, scene: Scene, track: Track, source: str) -> tuple[Truth, ...]:
    """All objects that the line lights; those outside its range or in shadow are not in it."""
    found = (_sight(plan, scene, track, source, number) for number in range(len(scene.objects)))
    return tuple(truth for truth in found if truth is not None)


def middle_m(placed: Placed) -> tuple[float, float]:
    """East and north of the middle of the object's footprint."""
    u, v = placed.shape.centre_m()
    cos, sin = np.cos(placed.angle_rad), np.sin(placed.angle_rad)
    return float(placed.x_m + u * cos - v * sin), float(placed.y_m + u * sin + v * cos)


def _sight(plan: SurveyPlan, scene: Scene, track: Track, source: str, number: int) -> Truth | None:
    placed = scene.objects[number]
    east, north = middle_m(placed)
    ping, starboard_m = track.nearest_ping(east, north)
    spacing_m = plan.ping_spacing_m
    off_m = np.hypot(east - track.east_m[ping], north - track.north_m[ping])
    if off_m - placed.shape.radius_m > plan.ground_range_m or abs(off_m - abs(starboard_m)) > spacing_m + 1:
        return None
    side = Side.STARBOARD if starboard_m > 0 else Side.PORT
    half = int(placed.shape.radius_m / spacing_m * 1.1) + 8
    first = max(0, ping - half)
    rows = slice(first, min(len(track.east_m), ping + half + 1))
    terrain, echo = look(plan, scene, track.part(rows), side)
    seen = see(echo, terrain.owner_PX, number, str(placed.shape.label), spacing_m)
    if seen is None or seen.lit_cells < 6 or seen.near_slant_m >= plan.range_m:
        return None
    length_m, width_m = placed.shape.extent_m()
    longitude, latitude = to_degrees(plan, np.array([east]), np.array([north]))
    half_height_m = placed.shape.height_m / 2
    return Truth(
        number=number,
        label=str(placed.shape.label),
        source=source,
        side=side,
        ping=ping,
        ping_range=(first + int(seen.first_row), first + max(int(seen.last_row) - 1, int(seen.first_row))),
        sample_range=(_sample(plan, seen.near_slant_m), _sample(plan, seen.far_slant_m)),
        shadow_end_sample=_sample(plan, seen.shadow_end_slant_m),
        slant_range_m=float(np.hypot(starboard_m, track.altitude_m[ping] - half_height_m)),
        ground_range_m=abs(starboard_m),
        longitude=float(longitude[0]),
        latitude=float(latitude[0]),
        height_m=placed.shape.height_m,
        length_m=length_m,
        width_m=width_m,
        heading_deg=float(np.rad2deg(np.pi / 2 - placed.angle_rad) % 180),
    )


def _sample(plan: SurveyPlan, slant_m: float) -> int:
    return int(np.clip(slant_m / plan.sample_m, 0, plan.samples - 1))
