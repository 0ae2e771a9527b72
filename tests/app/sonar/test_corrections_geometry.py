"""Slant to ground range against positions worked out by hand."""

import numpy as np
import pytest

from app.sonar.corrections.geometry import ground_range_m, slant_m_of_ground, slant_to_ground

SAMPLES, RANGE_M = 1000, 50.0
DTYPES = [np.uint8, np.uint16, np.float32]


def test_ground_range_is_pythagoras() -> None:
    assert ground_range_m(5.0, 3.0) == pytest.approx(4.0)
    assert ground_range_m(np.array([2.0, 3.0, 5.0]), 3.0).tolist() == [0.0, 0.0, 4.0]
    assert slant_m_of_ground(ground_range_m(41.0, 9.0), 9.0) == pytest.approx(41.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 130, 300])
def test_a_line_on_the_bottom_lands_where_it_lies(dtype: type[np.generic], rows: int) -> None:
    altitude_m = np.linspace(6, 14, rows)
    true_m = 22.0
    side = np.zeros((rows, SAMPLES), dtype=dtype)
    at = (np.hypot(true_m, altitude_m) / RANGE_M * SAMPLES).astype(int)
    side[np.arange(rows), at] = 200
    out = slant_to_ground(side, np.full(rows, RANGE_M), altitude_m, pixel_m=0.05, width_px=1000)
    assert out.dtype == dtype
    found_m = (out.argmax(1) + 0.5) * 0.05
    np.testing.assert_allclose(found_m, true_m, atol=0.11)
    assert (out.max(1) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_water_column_is_gone_and_what_lies_beyond_is_zero(dtype: type[np.generic]) -> None:
    side = np.full((20, SAMPLES), 100, dtype=dtype)
    side[:, : int(10 / RANGE_M * SAMPLES) + 1] = 0
    out = slant_to_ground(side, np.full(20, RANGE_M), np.full(20, 10.0), pixel_m=0.1, width_px=600)
    end = int(np.sqrt(RANGE_M**2 - 10**2) / 0.1)
    # The first metre and a half lie in one cell of samples; the next cell begins two columns later.
    assert (out[:, 18 : end - 1] == 100).all()
    assert (out[:, end + 1 :] == 0).all()


def test_altitude_zero_keeps_the_columns() -> None:
    side = np.random.default_rng(0).integers(0, 255, (40, SAMPLES)).astype(np.uint8)
    out = slant_to_ground(
        side, np.full(40, RANGE_M), np.zeros(40), pixel_m=RANGE_M / SAMPLES, width_px=SAMPLES
    )
    assert np.abs(out.astype(int) - side).max() <= 1


def test_several_samples_in_a_pixel_are_averaged() -> None:
    side = np.random.default_rng(0).gamma(1, 60, (50, SAMPLES)).astype(np.float32)
    out = slant_to_ground(side, np.full(50, RANGE_M), np.zeros(50), pixel_m=0.5, width_px=100)
    assert out[:, 1:-1].mean() == pytest.approx(side.mean(), rel=0.03)
    # Ten independent samples: a third of the spread; picking one of them would keep all of it.
    assert out[:, 1:-1].std() < 0.4 * side.std()


def test_range_may_change_from_ping_to_ping_and_be_unset() -> None:
    side = np.zeros((3, SAMPLES), dtype=np.uint8)
    side[0, 400], side[1, 200], side[2] = 200, 200, 200
    ranges_m = np.array([50.0, 100.0, np.nan])
    out = slant_to_ground(side, ranges_m, np.zeros(3), pixel_m=0.05, width_px=1000)
    assert abs(int(out[0].argmax()) - 400) <= 1
    assert abs(int(out[1].argmax()) - 400) <= 2
    assert not out[2].any()


def test_no_pings_and_no_ranges() -> None:
    none = slant_to_ground(np.zeros((0, 50), np.uint8), np.zeros(0), np.zeros(0), pixel_m=0.1, width_px=40)
    assert none.shape == (0, 40)
    unknown = np.full(4, np.nan)
    out = slant_to_ground(np.ones((4, 50), np.uint8), unknown, unknown, pixel_m=0.1, width_px=40)
    assert not out.any()


def test_more_rows_than_cv2_takes_at_once() -> None:
    side = np.full((33_000, 16), 9, dtype=np.uint8)
    out = slant_to_ground(side, np.full(33_000, 1.6), np.zeros(33_000), pixel_m=0.1, width_px=16)
    assert (out[:, :-1] == 9).all()
