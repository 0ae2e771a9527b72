"""Blocks cut where the range setting changes, and short ones joined to what was recorded with the same one."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from app.sonar.waterfall import Floats, Side, Waterfall
from app.survey.blocks import join_waterfalls, of_one_range, without_short_blocks
from app.survey.detect import detect_survey
from tests.app.survey.made_line import WGS84, Block, MadeLine
from tests.app.survey.runtimes import BlobRuntime

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


@dataclass(frozen=True, kw_only=True)
class RangeSwitched(MadeLine):
    """Recorded at 50 m, for most of the line; from ping 850 on at 100 m with as many samples."""

    def waterfall(self, first: int, last: int) -> Waterfall:
        """See `MadeLine.waterfall`."""
        if last <= 850 or first >= 850:
            line = MadeLine(blocks_on_bottom=self.blocks_on_bottom, range_m=50.0 if last <= 850 else 100.0)
            return line.waterfall(first, last)
        return join_waterfalls(self.waterfall(first, 850), self.waterfall(850, last))


def test_what_lies_beyond_the_first_range_is_found() -> None:
    far = tuple(
        Block(side=Side.STARBOARD, along_m=along_m, ground_m=ground_m, width_m=2.0, length_m=3.0)
        for along_m, ground_m in ((90, 60), (105, 70), (120, 80), (135, 90))
    )
    line = RangeSwitched(blocks_on_bottom=far, pings=1500)
    result = detect_survey([line], BlobRuntime(threshold=190, least_px=20))
    for block in far:
        off_m = [WGS84.inv(*line.place(block), c.longitude, c.latitude)[2] for c in result.contacts]
        assert min(off_m) < 0.5
    assert len(result.contacts) == len(far)
