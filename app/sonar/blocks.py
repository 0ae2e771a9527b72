"""Blocks of pings that were recorded with one range setting and are long enough for steady statistics."""

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.sonar.range_setting import SAME_RANGE, is_same_range, typical_range_m
from app.sonar.waterfall import Floats, Navigation, Waterfall

STEADY_PINGS = 31
"""Window of the running median that tells a new range setting from damaged values: half of it must agree."""


def of_one_range(blocks: Iterator[Waterfall]) -> Iterator[Waterfall]:
    """The same pings; a block in which the range setting changes is cut there.

    The corrected picture is as wide as the usual range of a block: what lies beyond would be lost.
    """
    for block in blocks:
        steps = _range_steps(block.slant_range_m)
        if not steps:
            yield block
            continue
        for start, end in pairwise([0, *steps, block.pings]):
            yield _part(block, slice(start, end))


def without_short_blocks(blocks: Iterator[Waterfall], *, least_pings: int) -> Iterator[Waterfall]:
    """The same pings; a block shorter than `least_pings` is joined to its neighbour, where the two fit.

    The even brightness of a block comes from the block itself: a block of five pings would have none.
    """
    waiting: Waterfall | None = None
    for block in blocks:
        if waiting is None:
            waiting = block
        elif min(block.pings, waiting.pings) < least_pings and _fit(waiting, block):
            waiting = join_waterfalls(waiting, block)
        else:
            yield waiting
            waiting = block
    if waiting is not None:
        yield waiting


def join_waterfalls(first: Waterfall, second: Waterfall) -> Waterfall:
    """Two blocks of one recording, the second beginning where the first ends, as one."""
    return replace(
        first,
        port_PS=_joined(first.port_PS, second.port_PS),
        starboard_PS=_joined(first.starboard_PS, second.starboard_PS),
        slant_range_m=np.concatenate([first.slant_range_m, second.slant_range_m]),
        navigation=_joined_navigation(first, second),
        warnings=tuple(dict.fromkeys(first.warnings + second.warnings)),
    )


def _fit(first: Waterfall, second: Waterfall) -> bool:
    ranges_m = typical_range_m(first.slant_range_m), typical_range_m(second.slant_range_m)
    return (
        first.first_ping + first.pings == second.first_ping
        and all(
            (a is None and b is None) or (a is not None and b is not None and a.shape[1] == b.shape[1])
            for a, b in ((first.port_PS, second.port_PS), (first.starboard_PS, second.starboard_PS))
        )
        and (ranges_m[0] is None or ranges_m[1] is None or is_same_range(ranges_m[0], ranges_m[1]))
    )


def _range_steps(slant_range_m: Floats) -> list[int]:
    """Pings at which the range goes to another value and stays there."""
    known = np.flatnonzero(np.isfinite(slant_range_m) & (slant_range_m > 0))
    told_m = slant_range_m[known]
    if len(known) < STEADY_PINGS or is_same_range(float(told_m.min()), float(told_m.max())):
        return []
    padded = np.pad(told_m, STEADY_PINGS // 2, mode="symmetric")
    # Unlike a mean, a median passes over single values and leaves steps where they are.
    steady_m = np.median(sliding_window_view(padded, STEADY_PINGS), axis=1)
    steps = np.flatnonzero(np.abs(np.diff(steady_m)) > SAME_RANGE * steady_m[:-1]) + 1
    return [int(ping) for ping in known[steps]]


def _part(block: Waterfall, rows: slice) -> Waterfall:
    values: dict[str, object] = {}
    for field in fields(Navigation):
        value = getattr(block.navigation, field.name)
        values[field.name] = value if field.name == "units" or value is None else value[rows]
    return replace(
        block,
        first_ping=block.first_ping + rows.start,
        port_PS=None if block.port_PS is None else block.port_PS[rows],
        starboard_PS=None if block.starboard_PS is None else block.starboard_PS[rows],
        slant_range_m=block.slant_range_m[rows],
        navigation=Navigation(**values),  # type: ignore[arg-type]
    )


def _joined(a: NDArray[np.generic] | None, b: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
    return None if a is None or b is None else np.concatenate([a, b])


def _joined_navigation(first: Waterfall, second: Waterfall) -> Navigation:
    """Fields that only one of the blocks has are NaN in the other."""
    values: dict[str, object] = {"units": first.navigation.units or second.navigation.units}
    for field in fields(Navigation):
        if field.name == "units":
            continue
        a, b = getattr(first.navigation, field.name), getattr(second.navigation, field.name)
        if a is not None or b is not None:
            values[field.name] = np.concatenate(
                [np.full(w.pings, np.nan) if v is None else v for w, v in ((first, a), (second, b))]
            )
    return Navigation(**values)  # type: ignore[arg-type]
