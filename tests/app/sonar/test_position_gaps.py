"""Positions that are missing across the borders of blocks: interpolated where the gap is short, unknown elsewhere."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.sonar import position_gaps
from app.sonar.position_gaps import without_position_gaps
from app.sonar.waterfall import Floats, PositionUnits, Waterfall
from tests.app.survey import made_line
from tests.app.survey.made_line import MadeLine

BLOCK_PINGS = 100


def blocks_without(line: MadeLine, gap: range, blind: Sequence[int] = ()) -> list[Waterfall]:
    """Blocks of a hundred pings; those in the gap have no position, the blocks numbered `blind` not even fields."""
    blocks = []
    for number, block in enumerate(line.blocks(pings=BLOCK_PINGS)):
        nav = block.navigation
        assert nav.x is not None
        assert nav.y is not None
        lost = np.isin(block.first_ping + np.arange(block.pings), gap)
        x, y = np.where(lost, np.nan, nav.x), np.where(lost, np.nan, nav.y)
        changed = replace(nav, x=x, y=y)
        if number in blind:
            assert lost.all()
            changed = replace(nav, x=None, y=None, units=None)
        blocks.append(replace(block, navigation=changed))
    return blocks


def positions(blocks: Sequence[Waterfall]) -> tuple[Floats, Floats]:
    nothing = np.full(BLOCK_PINGS, np.nan)
    x, y = (
        np.concatenate([nothing if v is None else v for v in (getattr(b.navigation, name) for b in blocks)])
        for name in ("x", "y")
    )
    return x, y


@pytest.mark.parametrize("units", list(PositionUnits))
@pytest.mark.parametrize("longitude", [-68.8, 179.99985], ids=["", "across the 180th meridian"])
def test_a_gap_over_blocks_lies_on_the_line(
    monkeypatch: pytest.MonkeyPatch, longitude: float, units: PositionUnits
) -> None:
    monkeypatch.setattr(made_line, "START", (longitude, 48.0))
    line = MadeLine(pings=400, samples=64, heading_deg=80.0, units=units)
    mended = list(without_position_gaps(iter(blocks_without(line, range(80, 230), blind=[1]))))
    assert [block.first_ping for block in mended] == [0, 100, 200, 300]
    x, y = positions(mended)
    true_x, true_y = positions(list(line.blocks(pings=BLOCK_PINGS)))
    np.testing.assert_allclose(y, true_y, atol=1e-8)
    np.testing.assert_allclose(x, true_x, atol=1e-8)
    assert {block.navigation.units for block in mended} == {units}
    assert [block.warnings for block in mended] == [
        *((f"{count} pings without position were interpolated",) for count in (20, 100, 30)),
        (),
    ]


def test_a_long_gap_and_the_ends_stay_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position_gaps, "LONGEST_GAP_PINGS", 149)
    line = MadeLine(pings=600, samples=64)
    for gap in (range(80, 230), range(180), range(380, 600)):
        given = blocks_without(line, gap)
        assert list(without_position_gaps(iter(given))) == given


def test_no_more_blocks_wait_than_the_gap_may_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position_gaps, "LONGEST_GAP_PINGS", 150)
    read: list[int] = []

    def blocks(given: list[Waterfall]):  # type: ignore[no-untyped-def]
        for block in given:
            read.append(block.first_ping)
            yield block

    line = MadeLine(pings=1000, samples=64)
    waits = [
        len([first for first in read if first > block.first_ping])
        for block in without_position_gaps(blocks(blocks_without(line, range(450, 1000))))
    ]
    assert waits == [0, 0, 0, 0, 2, 1, 0, 0, 0, 0]


def test_a_position_off_the_track_is_no_end_of_a_gap() -> None:
    line = MadeLine(pings=300, samples=64)
    blocks = blocks_without(line, range(80, 150))
    x = blocks[0].navigation.x
    assert x is not None
    x[79] += 0.05
    mended = list(without_position_gaps(iter(blocks)))
    true_x, _ = positions(list(line.blocks(pings=BLOCK_PINGS)))
    np.testing.assert_allclose(positions(mended)[0][80:], true_x[80:], atol=1e-8)
