"""The grid of a line on which the boat's speed changes."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from app.sonar.waterfall import Floats, Side, Waterfall
from app.survey.correct import Corrector
from app.survey.detect import detect_survey
from app.survey.grid import SurveyGrid
from app.survey.options import SurveyOptions
from tests.app.survey.made_line import WGS84, Block, MadeLine
from tests.app.survey.runtimes import BlobRuntime

LINE = MadeLine(samples=300)


def grids(*spacings_m: float | None, options: SurveyOptions | None = None) -> list[SurveyGrid]:
    """Grids of blocks of 100 pings with these distances between pings; None: without positions."""
    corrector = Corrector(options or SurveyOptions())
    blocks: list[Waterfall] = []
    for number, spacing_m in enumerate(spacings_m):
        line = replace(LINE, units=None) if spacing_m is None else replace(LINE, spacing_m=spacing_m)
        blocks.append(line.waterfall(number * 100, number * 100 + 100))
    return [corrector.correct(block).grid for block in blocks]


def test_a_speed_far_from_the_first_blocks_starts_a_new_grid() -> None:
    drifting, moving, fast = grids(0.01, 0.2, 0.4)
    for grid, spacing_m in ((drifting, 0.01), (moving, 0.2), (fast, 0.4)):
        assert grid.rows_per_ping * grid.pixel_m == pytest.approx(spacing_m, rel=0.16)


def test_the_grid_stays_while_the_speed_is_that_of_a_survey() -> None:
    first, *others = grids(0.2, 0.28, 0.14, None, 0.2)
    assert all(grid is first for grid in others)


def test_a_spacing_that_is_given_or_learnt_later_decides() -> None:
    first, second = grids(0.01, 0.2, options=SurveyOptions(ping_spacing_m=0.1))
    assert first is second
    unknown, known = grids(None, 0.6)
    assert unknown.rows_per_ping == 1
    assert known.rows_per_ping == pytest.approx(2.4)


@pytest.mark.parametrize(("spacing_m", "warning"), [(0.001, "hardly moved"), (5.0, "metres apart")])
def test_pixels_that_cannot_be_square_are_told(spacing_m: float, warning: str) -> None:
    corrector = Corrector(SurveyOptions())
    (told,) = corrector.correct(replace(LINE, spacing_m=spacing_m).waterfall(0, 100)).warnings
    assert warning in told
    assert "give --ping-spacing-m" in told
    assert corrector.correct(replace(LINE, spacing_m=0.2).waterfall(100, 200)).warnings == ()


@dataclass(frozen=True, kw_only=True)
class SlowStart(MadeLine):
    """Drifts for the first 1200 pings."""

    def row_m(self, first: int, last: int) -> Floats:
        """See `MadeLine.row_m`."""
        pings = np.arange(first, last)
        return np.where(pings < 1200, pings * 0.004, 4.8 + (pings - 1200) * 0.1)


def test_a_slow_start_hides_no_object_of_the_rest() -> None:
    blocks = tuple(
        Block(side=side, along_m=40.0 + 11 * n, ground_m=20.0, width_m=0.8, length_m=0.8)
        for n, side in enumerate(list(Side) * 5)
    )
    line = SlowStart(blocks_on_bottom=blocks, pings=2900)
    options = SurveyOptions(block_pings=1500)
    result = detect_survey([line], BlobRuntime(threshold=190, least_px=20), options)
    assert len(result.contacts) == len(blocks)
    for block in blocks:
        off_m = [WGS84.inv(*line.place(block), c.longitude, c.latitude)[2] for c in result.contacts]
        assert min(off_m) < 0.5
    assert result.files[0].warnings == ()
