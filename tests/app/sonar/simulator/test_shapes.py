"""Objects have the sizes they are asked for and lie where they are put."""

from collections.abc import Callable

import numpy as np
import pytest

from app.sonar.simulator.aircraft import draw_aircraft
from app.sonar.simulator.shape import AIRCRAFT, SHIP, TARGET, Placed, Shape, Terrain, lay
from app.sonar.simulator.ships import draw_ship
from app.sonar.simulator.small_targets import box, cylinder, draw_target, dummy, sphere, truncated_cone


def plain(rows: int = 200, columns: int = 200, cell_m: float = 0.1) -> Terrain:
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * np.float32(cell_m)
    return Terrain(
        x_PX=x,
        y_PX=y,
        height_PX=np.zeros_like(x),
        reflectivity_PX=np.ones_like(x),
        gloss_PX=np.zeros_like(x),
        owner_PX=np.full(x.shape, -1, np.int16),
    )


@pytest.mark.parametrize(
    ("shape", "height_m", "extent_m"),
    [
        (sphere(1.0), 1.0, (1.0, 1.0)),
        (cylinder(2.0, 0.5), 0.5, (2.0, 0.5)),
        (truncated_cone(1.0, 0.5, 0.4), 0.4, (1.0, 1.0)),
        (box(1.5, 0.8, 0.6, hollow=False), 0.6, (1.5, 0.8)),
    ],
)
def test_small_targets_measure_what_was_asked(
    shape: Shape, height_m: float, extent_m: tuple[float, float]
) -> None:
    assert shape.label == TARGET
    assert shape.height_m == pytest.approx(height_m, rel=0.02)
    assert shape.extent_m() == pytest.approx(extent_m, abs=2.5 * shape.cell_m)


@pytest.mark.parametrize("seed", range(6))
def test_a_dummy_lies_flat_and_is_as_long_as_a_body_can_be(seed: int) -> None:
    shape = dummy(np.random.default_rng(seed), 1.8)
    assert shape.label == TARGET
    assert 0.7 < max(shape.extent_m()) < 2.5  # arms overhead
    assert 0.12 < shape.height_m < 0.3
    assert len(np.unique(shape.reflectivity_VU[shape.footprint_VU > 0])) > 3


@pytest.mark.parametrize("seed", range(12))
def test_wrecks_are_about_as_long_as_asked_and_lower_than_wide(seed: int) -> None:
    shape = draw_ship(np.random.default_rng(seed), 40.0)
    length_m, width_m = shape.extent_m()
    assert shape.label == SHIP
    assert 0.5 * 40 < length_m < 1.35 * 40
    assert width_m < length_m
    assert 0.2 < shape.height_m < 16


@pytest.mark.parametrize(
    "draw", [draw_target, lambda rng: draw_ship(rng, 30.0), lambda rng: draw_aircraft(rng, 12.0)]
)
def test_draws_differ_by_seed_alone(draw: Callable[[np.random.Generator], Shape]) -> None:
    first, again, other = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.relief_VU, again.relief_VU)
    assert first.relief_VU.shape != other.relief_VU.shape or not np.array_equal(
        first.relief_VU, other.relief_VU
    )
    assert first.relief_VU[[0, -1]].max() == 0
    assert first.relief_VU[:, [0, -1]].max() == 0


@pytest.mark.parametrize("seed", range(8))
def test_aircraft_have_a_fuselage_of_the_length_asked(seed: int) -> None:
    shape = draw_aircraft(np.random.default_rng(seed), 15.0)
    assert shape.label == AIRCRAFT
    assert 0.3 * 15 < max(shape.extent_m()) < 1.6 * 15
    assert shape.height_m < 6


@pytest.mark.parametrize("angle_deg", [0, 90, 30])
def test_lay_turns_and_places(angle_deg: float) -> None:
    terrain = plain()
    lay(terrain, Placed(shape=cylinder(6.0, 1.0), x_m=8.0, y_m=12.0, angle_rad=np.deg2rad(angle_deg)), 7)
    rows, columns = np.nonzero(terrain.owner_PX == 7)
    x, y = terrain.x_PX[rows, columns], terrain.y_PX[rows, columns]
    assert (x.mean(), y.mean()) == pytest.approx((8.0, 12.0), abs=0.06)
    direction = np.linalg.eigh(np.cov(x, y))[1][:, -1]
    assert abs(direction @ (np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg)))) > 0.999
    assert terrain.height_PX.max() == pytest.approx(1.0, rel=0.05)


def test_lay_outside_changes_nothing() -> None:
    terrain = plain()
    lay(terrain, Placed(shape=sphere(1.0), x_m=-30.0, y_m=5.0, angle_rad=0.0), 0)
    assert not terrain.height_PX.any()
    assert (terrain.owner_PX == -1).all()


def test_burial_and_lowering() -> None:
    ball = sphere(1.0)
    sunk = ball.buried(0.4)
    assert sunk.height_m == pytest.approx(0.6, rel=0.03)
    assert ball.lowered(0.25).height_m == pytest.approx(0.25)
    assert ball.lowered(9.0).height_m == ball.height_m
