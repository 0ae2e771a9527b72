"""Which minutes are scored when: one set kept aside, the rest in folds, no group on two sides.

Decided before any score was seen: nothing here looks at one.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from app.dataset.split import Split
from app.dataset.tiles import TileSet

ASIDE_SHARE = 1 / 6
"""Of the tiles with boxes, and of those without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folds:
    """Indices into a `TileSet`."""

    aside: tuple[int, ...]
    """Scored once, at the end, by networks trained on all the rest."""
    aside_groups: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]

    def split(self, fold: int) -> Split:
        """Training and scored part of a fold."""
        train = (i for n, part in enumerate(self.parts) if n != fold for i in part)
        return Split(train=tuple(sorted(train)), val=self.parts[fold])

    def last_split(self) -> Split:
        """Everything but what was kept aside, and that."""
        return Split(train=tuple(sorted(i for part in self.parts for i in part)), val=self.aside)


def make_folds(tiles: TileSet, count: int) -> Folds:
    """Deal groups with and without boxes apart from each other.

    Aside go groups in the order of the sha256 of their name, until a sixth of the tiles is reached. Of the
    rest the largest first, each to the fold that has the fewest tiles yet.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, tile in enumerate(tiles.tiles):
        members[tile.group or tiles.name(index)].append(index)
    filled = [g for g in members if any(len(tiles.tiles[i].labels) for i in members[g])]
    aside: list[str] = []
    parts: list[list[int]] = [[] for _ in range(count)]
    for groups in (filled, [g for g in members if g not in filled]):
        kept_aside, rest = _put_aside(groups, members)
        aside += kept_aside
        loads = [0] * count
        for group in sorted(rest, key=lambda g: (-len(members[g]), g)):
            fold = loads.index(min(loads))
            loads[fold] += len(members[group])
            parts[fold] += members[group]
    return Folds(
        aside=tuple(sorted(i for g in aside for i in members[g])),
        aside_groups=tuple(sorted(aside)),
        parts=tuple(tuple(sorted(p)) for p in parts),
    )


def _put_aside(groups: list[str], members: dict[str, list[int]]) -> tuple[list[str], list[str]]:
    order = sorted(groups, key=lambda g: hashlib.sha256(g.encode()).hexdigest())
    wanted, have, taken = ASIDE_SHARE * sum(len(members[g]) for g in groups), 0, 0
    while have < wanted:
        have += len(members[order[taken]])
        taken += 1
    return order[:taken], order[taken:]
