"""Every tile shows bottom, whatever altitude its correction believed."""

import numpy as np
import pytest

from app.sonar.simulator.tile_view import View, draw_view


@pytest.mark.parametrize("pixel_m", [0.04, 0.2, 0.9])
def test_half_of_every_tile_is_bottom_and_has_ground(pixel_m: float) -> None:
    rng = np.random.default_rng(0)
    uncorrected = 0
    for _ in range(600):
        view = draw_view(rng, 128, pixel_m, 2.0)
        slants, ranges = view.column_slants_m(), view.ground_ranges_m()
        uncorrected += not view.corrected_altitude_m
        assert view.altitude_m > 2.0
        assert slants[64] >= view.altitude_m
        assert np.hypot(ranges[-1], view.altitude_m) >= slants[-1]
        assert (np.diff(ranges) > 0).all()
        assert len(ranges) < 12 * 128
    assert 170 < uncorrected < 250


def view(corrected_altitude_m: float) -> View:
    return View(
        size_px=100,
        pixel_m=0.1,
        ping_spacing_m=0.1,
        altitude_m=5.0,
        first_range_m=8.0,
        corrected_altitude_m=corrected_altitude_m,
        sample_m=0.1,
    )


def test_columns_are_ground_ranges_when_the_altitude_is_right() -> None:
    right = view(5.0)
    np.testing.assert_allclose(right.columns(np.hypot([8.0, 13.0], 5.0)), [0, 50], atol=1e-9)


@pytest.mark.parametrize("altitude_m", [5.0, 4.0, 0.0])
def test_columns_undo_column_slants(altitude_m: float) -> None:
    one = view(altitude_m)
    np.testing.assert_allclose(one.columns(one.column_slants_m()), np.arange(100) + 0.5, atol=1e-3)
