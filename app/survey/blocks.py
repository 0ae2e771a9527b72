"""Blocks of pings that are all long enough for steady statistics."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from app.sonar.waterfall import Navigation, Waterfall


def without_short_tail(blocks: Iterator[Waterfall], *, least_pings: int) -> Iterator[Waterfall]:
    """The same pings; a block shorter than `least_pings` is joined to the one before, where the two fit.

    The even brightness of a block comes from the block itself: a last block of five pings would have none.
    """
    waiting: Waterfall | None = None
    for block in blocks:
        if waiting is None:
            waiting = block
        elif block.pings < least_pings and _fit(waiting, block):
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
    return first.first_ping + first.pings == second.first_ping and all(
        (a is None and b is None) or (a is not None and b is not None and a.shape[1] == b.shape[1])
        for a, b in ((first.port_PS, second.port_PS), (first.starboard_PS, second.starboard_PS))
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
