"""Everything on the bottom of a survey area, laid once for all lines that pass over it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.sonar.simulator.aircraft import draw_aircraft
from app.sonar.simulator.clutter import Clutter, draw_stones, draw_track
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.seabed import Seabed, draw_seabed
from app.sonar.simulator.shape import Placed, Shape
from app.sonar.simulator.ships import draw_ship
from app.sonar.simulator.small_targets import draw_target
from app.sonar.simulator.track import line_start

_TRIES = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The bottom and what lies on it, in local metres: x east, y north."""

    seabed: Seabed
    clutter: tuple[Clutter, ...]
    objects: tuple[Placed, ...]
    """Those with a label; an object's index here is its number in the truth."""


def draw_scene(plan: SurveyPlan) -> Scene:
    """The scene that belongs to a plan; fixed by the plan's seed.

    Objects that find no free place on a short or crowded line are left out.
    """
    rng = np.random.default_rng((plan.seed, 0))
    cell_m = max(plan.sample_m, plan.ping_spacing_m)
    seabed = draw_seabed(rng, plan.bottom, cell_m)
    objects: list[Placed] = []
    clutter: list[Clutter] = []
    for line in range(plan.lines):
        for draw in _shapes(plan):
            _add(rng, plan, line, draw(rng).lowered(0.6 * plan.altitude_m), objects)
        clutter += _clutter(rng, plan, line)
    return Scene(seabed=seabed, clutter=tuple(clutter), objects=tuple(objects))


def _shapes(plan: SurveyPlan) -> list[Callable[[np.random.Generator], Shape]]:
    """What to lay for a line, the largest first."""
    # A wreck that fills the line would be nothing but wreck.
    longest_m = min(60.0, 0.35 * plan.length_m, 0.6 * plan.ground_range_m)
    least_m = max(0.4, 5 * plan.sample_m, 3 * plan.ping_spacing_m)
    draws: list[Callable[[np.random.Generator], Shape]] = []
    draws += [lambda rng: draw_ship(rng, float(rng.uniform(8, max(longest_m, 9))))] * plan.ships_per_line
    draws += [
        lambda rng: draw_aircraft(rng, float(rng.uniform(8, min(20, max(longest_m, 9)))))
    ] * plan.aircraft_per_line
    draws += [lambda rng: draw_target(rng, (least_m, max(2.5, least_m)))] * plan.targets_per_line
    return draws


def _add(rng: np.random.Generator, plan: SurveyPlan, line: int, shape: Shape, objects: list[Placed]) -> None:
    """Find a free place beside the line where the sonar sees the whole object."""
    reach = max(shape.extent_m()) / 2
    near, far = 1.2 * plan.altitude_m + reach, 0.85 * plan.ground_range_m - reach
    ahead = reach + 2.0
    if near >= far or 2 * ahead >= plan.length_m:
        return
    for _ in range(_TRIES):
        side = 1.0 if rng.random() < 0.5 else -1.0
        x, y = _beside(
            plan, line, float(rng.uniform(ahead, plan.length_m - ahead)), side * float(rng.uniform(near, far))
        )
        apart = min(
            (np.hypot(x - o.x_m, y - o.y_m) - max(o.shape.extent_m()) / 2 for o in objects), default=np.inf
        )
        if apart > reach + 4.0:
            objects.append(Placed(shape=shape, x_m=x, y_m=y, angle_rad=float(rng.uniform(0, 2 * np.pi))))
            return


def _clutter(rng: np.random.Generator, plan: SurveyPlan, line: int) -> list[Clutter]:
    found: list[Clutter] = []
    reach = plan.ground_range_m
    for _ in range(plan.tracks_per_line):
        x, y = _beside(plan, line, float(rng.uniform(0, plan.length_m)), float(rng.uniform(-reach, reach)))
        found.append(draw_track(rng, x, y))
    left = plan.stones_per_line
    while left > 0:
        group = min(left, int(rng.integers(1, 12)))
        x, y = _beside(plan, line, float(rng.uniform(0, plan.length_m)), float(rng.uniform(-reach, reach)))
        span = float(rng.uniform(3, 25))
        size_m = float(rng.uniform(0.3, 1.2))
        found += draw_stones(rng, (x - span, x + span), (y - span, y + span), group, size_m)
        left -= group
    return found


def _beside(plan: SurveyPlan, line: int, along_m: float, starboard_m: float) -> tuple[float, float]:
    """The point so far along a line and so far to starboard of it."""
    east, north, course = line_start(plan, line)
    return (
        float(east + along_m * np.sin(course) + starboard_m * np.cos(course)),
        float(north + along_m * np.cos(course) - starboard_m * np.sin(course)),
    )
