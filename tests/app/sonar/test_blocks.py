"""Blocks cut where the range setting changes, and short ones joined to what was recorded with the same one."""

from dataclasses import replace

import numpy as np
import pytest

from app.sonar.blocks import of_one_range, without_short_blocks
from app.sonar.waterfall import Floats, Side, Waterfall
from tests.app.survey.made_line import MadeLine

LINE = MadeLine(pings=400, samples=500)


def ranged(*stretches: tuple[int, float]) -> Waterfall:
    """A block whose range is so many metres for so many pings, and so on."""
    range_m: Floats = np.concatenate([np.full(pings, metres) for pings, metres in stretches])
    return replace(LINE.waterfall(0, len(range_m)), slant_range_m=range_m)


def extents(blocks: list[Waterfall]) -> list[tuple[int, int]]:
    """First ping and number of pings."""
    return [(block.first_ping, block.pings) for block in blocks]


def test_a_block_is_cut_where_the_range_changes() -> None:
    block = ranged((150, 50.0), (50, np.nan), (100, 100.0), (40, 75.0))
    parts = list(of_one_range(iter([block])))
    assert extents(parts) == [(0, 200), (200, 100), (300, 40)]
    assert parts[1].navigation.time_s[0] == block.navigation.time_s[200]
    assert parts[1].navigation.x is not None
    for side in Side:
        np.testing.assert_array_equal(
            np.concatenate([p.side(side) for p in parts]),  # type: ignore[misc]
            block.side(side),
        )


@pytest.mark.parametrize(
    "stretches",
    [
        [(300, 50.0)],
        [(150, 50.0), (150, 50.4)],  # no setting, but the speed of sound measured anew
        [(150, 50.0), (1, 3.0), (148, 50.0), (1, 900.0)],
        [(1, 100.0), (9, 50.0), (12, 100.0), (200, 50.0)],
        [(300, np.nan)],
        [(3, 50.0), (4, 100.0)],
    ],
    ids=[
        "one",
        "nearly the same",
        "damaged values",
        "a few damaged values",
        "unknown",
        "too few pings to tell",
    ],
)
def test_damaged_ranges_cut_nothing(stretches: list[tuple[int, float]]) -> None:
    block = ranged(*stretches)
    assert list(of_one_range(iter([block]))) == [block]


def test_short_blocks_are_joined_to_those_of_the_same_range() -> None:
    wide = replace(LINE, range_m=100.0)
    blocks = [
        LINE.waterfall(0, 90),
        wide.waterfall(90, 100),
        wide.waterfall(100, 200),
        LINE.waterfall(200, 203),
    ]
    joined = list(without_short_blocks(iter(blocks), least_pings=25))
    assert extents(joined) == [(0, 90), (90, 110), (200, 3)]
    assert [set(block.slant_range_m.tolist()) for block in joined] == [{50.0}, {100.0}, {50.0}]
