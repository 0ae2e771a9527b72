"""Gaps of positions that reach from one block of pings into others: filled from both sides where they are short."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from app.sonar.navigation import LONGEST_GAP_PINGS, fixes_to_trust, wrapped_deg
from app.sonar.waterfall import Floats, PositionUnits, Waterfall


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fix:
    """One position, and the ping that has it."""

    ping: int
    x: float
    y: float
    units: PositionUnits


def without_position_gaps(blocks: Iterator[Waterfall]) -> Iterator[Waterfall]:
    """The same pings; positions missing at the end of a block, in whole ones, and at the beginning of the next are
    interpolated, a warning in each block says how many.

    A block waits for the next while its last pings have no position, up to `LONGEST_GAP_PINGS`. In a longer gap, and
    before the first and after the last position of a recording, nobody knows where the towfish was.
    """
    before: _Fix | None = None
    waiting: list[Waterfall] = []
    for block in blocks:
        waiting.append(block)
        ends = _first_and_last(block)
        if ends is not None:
            first, last = ends
            if before is not None:
                waiting = [_filled(part, before, first) for part in waiting]
            before = last
        missing = 0 if before is None else block.first_ping + block.pings - 1 - before.ping
        if not 0 < missing <= LONGEST_GAP_PINGS:
            yield from waiting
            waiting = []
    yield from waiting


def _first_and_last(block: Waterfall) -> tuple[_Fix, _Fix] | None:
    nav = block.navigation
    if nav.x is None or nav.y is None or nav.units is None:
        return None
    known = np.flatnonzero(fixes_to_trust(nav.x, nav.y, nav.units))
    if not known.size:
        return None
    first, last = (
        _Fix(ping=block.first_ping + at, x=float(nav.x[at]), y=float(nav.y[at]), units=nav.units)
        for at in known[[0, -1]].tolist()
    )
    return first, last


def _filled(block: Waterfall, before: _Fix, after: _Fix) -> Waterfall:
    """With positions on the straight line between two fixes, where it has none."""
    nav = block.navigation
    nothing = np.full(block.pings, np.nan)
    x, y = (nothing if values is None else values for values in (nav.x, nav.y))
    pings = block.first_ping + np.arange(block.pings)
    gap = (pings > before.ping) & (pings < after.ping) & ~(np.isfinite(x) & np.isfinite(y))
    too_long = after.ping - before.ping - 1 > LONGEST_GAP_PINGS
    if too_long or before.units is not after.units or not gap.any():
        return block
    way_x, way_y = after.x - before.x, after.y - before.y
    if before.units is PositionUnits.DEGREES:
        way_x = (way_x + 180) % 360 - 180
    share = (pings - before.ping) / (after.ping - before.ping)
    between_x: Floats = before.x + share * way_x
    if before.units is PositionUnits.DEGREES:
        between_x = wrapped_deg(between_x)
    x, y = np.where(gap, between_x, x), np.where(gap, before.y + share * way_y, y)
    return replace(
        block,
        navigation=replace(nav, x=x, y=y, units=before.units),
        warnings=(*block.warnings, f"{int(gap.sum())} pings without position were interpolated"),
    )
