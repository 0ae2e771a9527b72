"""Training and validation parts that share no group."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import TileSet
from app.errors import DatasetError

MOST_DEALS, DEAL_WORK = 64, 20_000
"""Random orders tried, fewer where many groups balance by themselves; the best balanced one is taken."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Indices into a `TileSet`, ascending."""

    train: tuple[int, ...]
    val: tuple[int, ...]

    def as_names(self, tiles: TileSet) -> dict[str, list[str]]:
        """Paths relative to the set's root, to be stored with a run."""
        return {"train": [tiles.name(i) for i in self.train], "val": [tiles.name(i) for i in self.val]}

    @classmethod
    def from_names(cls, names: dict[str, list[str]], tiles: TileSet) -> "Split":
        """The split of another machine.

        Raises:
            DatasetError: the folder lacks tiles that the split names.
        """
        index = {tiles.name(i): i for i in range(len(tiles))}
        missing = [n for part in ("train", "val") for n in names[part] if n not in index]
        if missing:
            raise DatasetError(
                f"{tiles.root} lacks {len(missing)} tiles of the stored split, such as {missing[0]}; "
                "give the folder that the run was trained on, or --split all"
            )
        train, val = (tuple(sorted(index[n] for n in names[part])) for part in ("train", "val"))
        return cls(train=train, val=val)


def split_by_group(tiles: TileSet, *, val_fraction: float = 0.2, seed: int = 0) -> Split:
    """Whole groups to either side, so that classes and backgrounds are spread as evenly as groups allow.

    Groups are dealt in random order; each goes to validation while that brings its counts (boxes per class,
    backgrounds) closer to their share. Of many deals the best balanced one counts. Larger groups do not come
    first: validation would then consist of a few of them, or of near copies.

    Raises:
        DatasetError: there are fewer than two groups, or the fraction is not between 0 and 1.
    """
    if not 0 < val_fraction < 1:
        raise DatasetError(f"val_fraction={val_fraction} must lie between 0 and 1; try 0.2")
    members: dict[str, list[int]] = defaultdict(list)
    for index, tile in enumerate(tiles.tiles):
        members[tile.group or f"alone:{index}"].append(index)
    if len(members) < 2:
        raise DatasetError(
            f"{tiles.root} is one group ({next(iter(members), 'empty')}): a split would leak; "
            "add tiles of another survey line or day"
        )
    names = sorted(members)
    counts_GC = np.stack([contents(tiles, members[name]) for name in names])
    val = {names[g] for g in _best_deal(counts_GC, val_fraction, np.random.default_rng(seed))}
    return Split(
        train=tuple(sorted(i for name in names if name not in val for i in members[name])),
        val=tuple(sorted(i for name in names if name in val for i in members[name])),
    )


def contents(tiles: TileSet, indices: list[int]) -> Floats:
    """(C + 1,) boxes of each class and, last, tiles without a box."""
    counts = np.zeros(len(tiles.class_names) + 1)
    for index in indices:
        labels = tiles.tiles[index].labels
        counts[:-1] += np.bincount(labels, minlength=len(tiles.class_names))
        counts[-1] += len(labels) == 0
    return counts


def _best_deal(counts_GC: Floats, fraction: float, rng: np.random.Generator) -> list[int]:
    present = counts_GC.sum(axis=0)
    # In parts of what there is of each kind: a rare class weighs as much as a frequent one.
    shares_GC = counts_GC[:, present > 0] / present[present > 0]
    count = len(shares_GC)
    tries = max(1, min(MOST_DEALS, DEAL_WORK // count))
    deals = [_deal(shares_GC, fraction, rng.permutation(count)) for _ in range(tries)]
    return min(deals, key=lambda deal: _imbalance(shares_GC[deal].sum(axis=0), fraction))


def _imbalance(have_C: Floats, fraction: float) -> float:
    return float(np.abs(fraction - have_C).sum())


def _deal(shares_GC: Floats, fraction: float, order: NDArray[np.int64]) -> list[int]:
    """Groups for validation: at least one and never all."""
    have = np.zeros(shares_GC.shape[1])
    val: list[int] = []
    for group in order.tolist():
        after = have + shares_GC[group]
        if _imbalance(after, fraction) < _imbalance(have, fraction) and len(val) < len(order) - 1:
            have = after
            val.append(group)
    return val or [min(order.tolist(), key=lambda g: _imbalance(shares_GC[g], fraction))]
