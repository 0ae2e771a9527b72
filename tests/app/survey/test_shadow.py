"""Shadows: found where they are, not found where there is none, and heights by the geometry."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from app.survey.shadow import MOST_BANDS, Shadow, find_shadows, shadow_height_m


def picture(
    lit: tuple[int, int], shadow: tuple[int, int], *, dark: float = 8.0, seed: int = 0
) -> NDArray[np.uint8]:
    """Speckled seabed of 95 with a bright part and a dark part in rows 20 to 40."""
    image = np.random.default_rng(seed).gamma(9.0, 95 / 9.0, (60, 160))
    image[20:40, lit[0] : lit[1]] = 240
    image[20:40, shadow[0] : shadow[1]] *= dark / 95
    return np.clip(image, 0, 255).astype(np.uint8)


def one(image: NDArray[np.uint8], box: tuple[float, float, float, float]) -> Shadow:
    """What the bands of a box agree on: the medians of their edges."""
    shadows = find_shadows(image, box)
    assert len(shadows) >= 4
    return Shadow(
        start_px=float(np.median([s.start_px for s in shadows])),
        end_px=float(np.median([s.end_px for s in shadows])),
        whole=all(s.whole for s in shadows),
    )


@pytest.mark.parametrize("seed", range(5))
def test_shadow_in_the_box(seed: int) -> None:
    found = one(picture((40, 50), (50, 80), seed=seed), (40, 20, 80, 40))
    assert found.start_px == pytest.approx(50, abs=1)
    assert found.end_px == pytest.approx(80, abs=1)
    assert found.whole


def test_shadow_behind_a_box_around_the_lit_part() -> None:
    found = one(picture((40, 50), (50, 80)), (39, 20, 51, 40))
    assert found.end_px == pytest.approx(80, abs=1)


def test_shadow_that_leaves_the_picture_is_not_whole() -> None:
    found = one(picture((40, 50), (50, 160)), (40, 20, 80, 40))
    assert not found.whole


@pytest.mark.parametrize("seed", range(5))
def test_a_bright_spot_without_shadow_has_none(seed: int) -> None:
    assert find_shadows(picture((40, 50), (50, 50), seed=seed), (38, 20, 60, 40)) == []


def test_an_object_that_lies_askew_has_a_shadow_in_every_band() -> None:
    image = np.full((60, 160), 95, np.uint8)
    for row in range(20, 40):
        image[row, 30 + row : 36 + row] = 240
        image[row, 36 + row : 56 + row] = 5
    shadows = find_shadows(image, (49, 20, 77, 40))
    lengths = [s.end_px - s.start_px for s in shadows]
    assert len(lengths) >= 6
    assert lengths == pytest.approx([20] * len(lengths), abs=2.5)
    assert np.ptp([s.start_px for s in shadows]) > 12


def test_a_faint_dip_is_no_shadow() -> None:
    assert find_shadows(picture((40, 50), (50, 80), dark=75.0), (40, 20, 80, 40)) == []


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (159, 59, 160, 60), (5, 5, 5.5, 5.5), (0, 0, 160, 60)])
def test_any_box_is_answered(box: tuple[float, float, float, float]) -> None:
    assert len(find_shadows(picture((40, 50), (50, 80)), box)) <= 2 * MOST_BANDS


def test_a_black_picture_has_no_shadow() -> None:
    assert find_shadows(np.zeros((20, 40), np.uint8), (5, 5, 20, 15)) == []


def test_height_is_that_of_the_grazing_ray() -> None:
    # Altitude 10 m, an edge 2 m high at 20 m: the ray meets the bottom at 20 * 10 / 8 = 25 m.
    height_m = shadow_height_m(
        start_slant_m=math.hypot(20, 8), end_slant_m=math.hypot(25, 10), altitude_m=10.0
    )
    assert height_m == pytest.approx(2.0)
    assert shadow_height_m(start_slant_m=20.0, end_slant_m=25.0, altitude_m=0.0) is None
