"""One object on a level bottom: side, ping, range and shadow of its echo follow from geometry alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from app.sonar.simulator.beam import look
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.raytrace import collect
from app.sonar.simulator.scene import Scene
from app.sonar.simulator.seabed import Seabed, draw_seabed
from app.sonar.simulator.shape import Placed
from app.sonar.simulator.small_targets import box
from app.sonar.simulator.textures import Field
from app.sonar.simulator.track import Track, line_start
from app.sonar.simulator.truth import find_truth
from app.sonar.waterfall import Side

PLAN = SurveyPlan(seed=1, lines=1, pings=160, samples=1000, range_m=50.0, altitude_m=8.0, heading_deg=70.0)
PING = 80


def level() -> Seabed:
    drawn = draw_seabed(np.random.default_rng(0), "mud", PLAN.sample_m)
    return replace(drawn, swell_m=0.0, micro_m=0.0, tint_strength=0.0, grain_strength=0.0, lumps=())


def straight() -> Track:
    """No yaw, no wobble, even altitude."""
    east, north, course = line_start(PLAN, 0)
    run = np.arange(PLAN.pings) * PLAN.ping_spacing_m
    still = np.zeros(PLAN.pings)
    return Track(
        east_m=east + run * math.sin(course), north_m=north + run * math.cos(course),
        heading_rad=still + course, altitude_m=still + PLAN.altitude_m,
        pitch_deg=still, roll_deg=still, time_s=run,
    )  # fmt: skip


def crate(starboard_m: float, height_m: float) -> Scene:
    """A crate abeam of the middle ping, its length along the track."""
    track, course = straight(), np.deg2rad(PLAN.heading_deg)
    return Scene(
        seabed=level(),
        clutter=(),
        objects=(
            Placed(
                shape=box(3.0, 0.6, height_m, hollow=False),
                x_m=float(track.east_m[PING] + starboard_m * math.cos(course)),
                y_m=float(track.north_m[PING] - starboard_m * math.sin(course)),
                angle_rad=math.pi / 2 - float(course),
            ),
        ),
    )


def energy(scene: Scene, side: Side) -> Field:
    _, echo = look(PLAN, scene, straight(), side)
    return collect(echo, first_m=0.0, sample_m=PLAN.sample_m, samples=PLAN.samples)


@pytest.mark.parametrize(
    ("starboard_m", "height_m"), [(20.0, 0.8), (-20.0, 0.8), (30.0, 1.5), (12.0, 0.5), (-35.0, 0.4)]
)
def test_shadow_in_raw_samples(starboard_m: float, height_m: float) -> None:
    """From the crate's far upper edge at R the shadow reaches h R / (alt - h) farther, on its own side only."""
    side, other = (Side.STARBOARD, Side.PORT) if starboard_m > 0 else (Side.PORT, Side.STARBOARD)
    scene = crate(starboard_m, height_m)
    dark = energy(scene, side) == 0
    far_edge_m = abs(starboard_m) + 0.3
    shadow_end_m = far_edge_m + height_m * far_edge_m / (PLAN.altitude_m - height_m)
    end_slant_m = math.hypot(shadow_end_m, PLAN.altitude_m)
    top_slant_m = math.hypot(far_edge_m, PLAN.altitude_m - height_m)
    inside = dark[PING, int(top_slant_m / PLAN.sample_m) : int(end_slant_m / PLAN.sample_m) + 20]
    start, stop = np.flatnonzero(inside)[[0, -1]] + int(top_slant_m / PLAN.sample_m)
    assert start * PLAN.sample_m == pytest.approx(top_slant_m, abs=0.15)
    assert stop * PLAN.sample_m == pytest.approx(end_slant_m, abs=0.2)
    rows = np.flatnonzero(dark[:, (start + stop) // 2])
    assert rows.mean() == pytest.approx(PING, abs=1)
    assert len(rows) * PLAN.ping_spacing_m == pytest.approx(3.0, abs=0.35)
    water = int(PLAN.altitude_m / PLAN.sample_m) + 2
    assert (energy(scene, other)[:, water:-10] > 0).all()


def test_face_of_the_crate_is_brighter_than_the_bottom() -> None:
    scene = crate(20.0, 0.8)
    near_top = int(math.hypot(19.7, PLAN.altitude_m - 0.8) / PLAN.sample_m)
    row = energy(scene, Side.STARBOARD)[PING]
    assert row[near_top - 3 : near_top + 12].max() > 5 * np.median(row[near_top - 60 : near_top - 20])


def test_truth_of_the_crate() -> None:
    (truth,) = find_truth(PLAN, crate(-25.0, 0.8), straight(), "line-00.xtf")
    assert truth.side is Side.PORT
    assert truth.ping == PING
    assert truth.ground_range_m == pytest.approx(25.0, abs=0.05)
    assert (truth.length_m, truth.width_m) == pytest.approx((3.0, 0.6), abs=0.15)
    assert truth.heading_deg == pytest.approx(70.0, abs=0.1)
    first, last = truth.ping_range
    assert (first + last) / 2 == pytest.approx(PING, abs=1)
    assert (last - first + 1) * PLAN.ping_spacing_m == pytest.approx(3.0, abs=0.4)
    near_m = truth.sample_range[0] * PLAN.sample_m
    assert near_m == pytest.approx(math.hypot(24.7, PLAN.altitude_m - 0.8), abs=0.25)
    shadow_m = 25.3 * PLAN.altitude_m / (PLAN.altitude_m - 0.8)
    assert truth.shadow_end_sample * PLAN.sample_m == pytest.approx(math.hypot(shadow_m, 8.0), abs=0.25)


def test_what_lies_out_of_range_is_not_in_the_truth() -> None:
    assert find_truth(PLAN, crate(60.0, 0.8), straight(), "line-00.xtf") == ()
