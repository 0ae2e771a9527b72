"""The automatic pixel: as coarse as the data, within bounds."""

import pytest

from app.sonar.pixel_size import automatic_pixel_m


@pytest.mark.parametrize(
    ("sample_m", "spacing_m", "pixel_m"),
    [
        (0.05, 0.1, 0.1),
        (0.15, 0.1, 0.15),
        (0.15, None, 0.15),
        (0.01, 0.02, 0.08),
        (0.05, 2.0, 0.25),
        (0.4, 2.0, 0.4),  # samples further apart than the coarsest pixel have no more to give
    ],
)
def test_the_coarser_distance_within_bounds(sample_m: float, spacing_m: float | None, pixel_m: float) -> None:
    assert automatic_pixel_m(sample_m, spacing_m) == pixel_m
