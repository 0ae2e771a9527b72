"""What stands out is labelled, what drowns in speckle is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.sonar.simulator.visibility import stands_out

BOX = np.array([50.0, 50.0, 80.0, 70.0])
ROWS, COLUMNS = (grid.ravel() for grid in np.mgrid[55:65, 55:75])


def bottom(seed: int, *, bright: float = 1.0) -> NDArray[np.uint8]:
    image = np.random.default_rng(seed).rayleigh(60, (128, 128))
    image[ROWS, COLUMNS] *= bright
    return np.clip(image, 0, 255).astype(np.uint8)


def test_speckle_alone_seldom_passes() -> None:
    passed = [stands_out(bottom(seed), BOX, ROWS, COLUMNS.astype(float)) for seed in range(100)]
    assert np.mean(passed) < 0.1


@pytest.mark.parametrize("bright", [2.0, 0.3])
def test_highlight_and_shadow_both_count(bright: float) -> None:
    passed = [stands_out(bottom(seed, bright=bright), BOX, ROWS, COLUMNS.astype(float)) for seed in range(50)]
    assert np.mean(passed) > 0.95


def test_cells_outside_the_picture_are_no_evidence() -> None:
    outside = np.full(len(ROWS), 500.0)
    assert not stands_out(bottom(0), BOX, ROWS, outside)
