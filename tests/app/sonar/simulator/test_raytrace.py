"""Light and shadow follow from geometry alone."""

import numpy as np
import pytest

from app.sonar.simulator.raytrace import Echo, collect, flat_echo, illuminate
from app.sonar.simulator.textures import Field

CELL_M = 0.02


def ranges(far_m: float) -> Field:
    return (np.arange(int(far_m / CELL_M), dtype=np.float32) + 0.5) * np.float32(CELL_M)


def over(height_X: Field, altitude_m: float, pings: int = 5) -> Echo:
    return illuminate(
        height_PX=np.repeat(height_X[None], pings, 0),
        reflectivity_PX=1.0,
        gloss_PX=0.0,
        range_X=ranges(len(height_X) * CELL_M),
        altitude_P=np.full(pings, altitude_m, np.float32),
        ping_spacing_m=0.1,
    )


@pytest.mark.parametrize(
    ("height_m", "range_m", "altitude_m"),
    [(0.5, 20.0, 5.0), (1.0, 30.0, 8.0), (2.0, 10.0, 5.0), (0.3, 6.0, 9.0)],
)
def test_shadow_is_as_long_as_geometry_says(height_m: float, range_m: float, altitude_m: float) -> None:
    expected_m = height_m * range_m / (altitude_m - height_m)
    range_X = ranges(range_m + 2 * expected_m + 2)
    wall = (np.abs(range_X - range_m) < 0.03).astype(np.float32) * np.float32(height_m)
    echo = over(wall, altitude_m)
    shadow_m = float((~echo.lit_PX[2] & (range_X > range_m)).sum()) * CELL_M
    assert shadow_m == pytest.approx(expected_m, abs=4 * CELL_M)
    assert echo.energy_PX[~echo.lit_PX].max() == 0


def test_ground_before_a_wall_stays_lit_and_only_one_shadow_falls() -> None:
    range_X = ranges(40)
    wall = (np.abs(range_X - 15) < 0.2).astype(np.float32)
    lit = over(wall, 6.0).lit_PX[0]
    assert lit[range_X < 14.7].all()
    assert np.count_nonzero(np.diff(lit.astype(int)) == 1) == 1


def test_top_of_a_wall_comes_back_before_its_foot() -> None:
    """Layover: the top is nearer to the towfish than the foot."""
    range_X = ranges(20)
    wall = (range_X > 10).astype(np.float32) * np.float32(2)
    echo = over(wall, 8.0)
    foot, top = int(np.searchsorted(range_X, 9.95)), int(np.searchsorted(range_X, 10.05))
    assert echo.slant_PX[0, foot] == pytest.approx(np.hypot(9.95, 8), abs=0.05)
    assert echo.slant_PX[0, top] == pytest.approx(np.hypot(10.05, 6), abs=0.05)
    assert echo.slant_PX[0, top] < echo.slant_PX[0, foot]


def test_slope_towards_the_sonar_is_brighter_than_level_and_that_than_away() -> None:
    range_X = ranges(30)
    level = over(np.zeros_like(range_X), 6.0).energy_PX[0]
    towards = over(range_X * np.float32(0.05), 6.0).energy_PX[0]
    away = over(range_X * np.float32(-0.05), 6.0).energy_PX[0]
    middle = slice(500, 1400)
    assert (towards[middle] > level[middle]).all()
    assert (level[middle] > away[middle]).all()


def test_level_bottom_follows_lambert() -> None:
    range_X = ranges(30)
    energy = over(np.zeros_like(range_X), 6.0).energy_PX[0]
    np.testing.assert_allclose(energy, 36 / (range_X**2 + 36), rtol=1e-4)


def test_gloss_adds_only_where_the_face_looks_at_the_sonar() -> None:
    range_X = ranges(30)
    altitude_P = np.full(4, 6, np.float32)
    parts = {"range_X": range_X, "altitude_P": altitude_P}
    dull = flat_echo(**parts).energy_PX
    shiny = illuminate(
        height_PX=np.zeros_like(dull),
        reflectivity_PX=1.0,
        gloss_PX=np.full_like(dull, 3.0),
        ping_spacing_m=0.1,
        **parts,
    ).energy_PX
    assert shiny[0, 0] == pytest.approx(4 * dull[0, 0], rel=1e-3)
    assert shiny[0, -1] == pytest.approx(dull[0, -1], rel=1e-3)


def test_collect_keeps_all_energy_that_arrives_in_range() -> None:
    echo = flat_echo(range_X=ranges(25), altitude_P=np.array([5.0, 6.0], np.float32))
    samples = collect(echo, first_m=0.0, sample_m=0.05, samples=600)
    np.testing.assert_allclose(samples.sum(1), echo.energy_PX.sum(1), rtol=1e-3)
    first = (samples > 0).argmax(1) * 0.05
    np.testing.assert_allclose(first, [5.0, 6.0], atol=0.06)
    assert collect(echo, first_m=0.0, sample_m=0.05, samples=80).shape == (2, 80)
    assert collect(echo, first_m=0.0, sample_m=0.05, samples=80).sum() == 0
