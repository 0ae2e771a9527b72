"""Training and validation parts that share no group."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.dataset.groups import perceptual_hash
from app.dataset.tiles import TileSet
from app.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Indices into a `TileSet`, ascending."""

    train: tuple[int, ...]
    val: tuple[int, ...]

    def as_names(self, tiles: TileSet) -> dict[str, list[str]]:
        """Paths relative to the set's root, to be stored with a run."""
        return {part: [_name(tiles, i) for i in getattr(self, part)] for part in ("train", "val")}

    @classmethod
    def from_names(cls, names: dict[str, list[str]], tiles: TileSet) -> "Split":
        """The split of another machine.

        Raises:
            DatasetError: the folder lacks tiles that the split names.
        """
        index = {_name(tiles, i): i for i in range(len(tiles))}
        missing = [n for part in ("train", "val") for n in names[part] if n not in index]
        if missing:
            raise DatasetError(
                f"{tiles.root} lacks {len(missing)} tiles of the stored split, such as {missing[0]}; "
                "give the folder that the run was trained on, or --split all"
            )
        return cls(**{part: tuple(index[n] for n in names[part]) for part in ("train", "val")})


def _name(tiles: TileSet, index: int) -> str:
    path = tiles.tiles[index].path
    return path.relative_to(tiles.root).as_posix() if path.is_relative_to(tiles.root) else path.as_posix()


def split_by_group(tiles: TileSet, *, val_fraction: float = 0.2, seed: int = 0) -> Split:
    """Whole groups to either side, so that classes and backgrounds are spread as evenly as groups allow.

    Groups are dealt in random order, larger ones first; each goes to validation while that brings its counts
    (boxes per class, backgrounds) closer to their share.

    Raises:
        DatasetError: there are fewer than two groups.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, tile in enumerate(tiles.tiles):
        members[tile.group or f"alone:{index}"].append(index)
    if len(members) < 2:
        raise DatasetError(
            f"{tiles.root} is one group ({next(iter(members), 'empty')}): a split would leak; "
            "add tiles of another survey line or day"
        )
    names = sorted(members)
    counts = np.stack([_content(tiles, members[n]) for n in names])
    wanted = counts.sum(0) * val_fraction
    weight = 1 / np.maximum(counts.sum(0), 1)
    order = np.random.default_rng(seed).permutation(len(names))
    have = np.zeros_like(wanted)
    val: list[str] = []
    for index in sorted(order.tolist(), key=lambda i: -int(np.log2(counts[i].sum() + 1))):
        after = have + counts[index]
        if (np.abs(wanted - after) * weight).sum() < (np.abs(wanted - have) * weight).sum():
            have = after
            val.append(names[index])
    if not val:  # every group is larger than the share: the smallest one serves
        val = [names[int(np.argmin(counts.sum(1)))]]
    chosen = set(val)
    parts: dict[bool, list[int]] = {True: [], False: []}
    for name in names:
        parts[name in chosen] += members[name]
    return Split(train=tuple(sorted(parts[False])), val=tuple(sorted(parts[True])))


def _content(tiles: TileSet, indices: list[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    counts = np.zeros(len(tiles.class_names) + 1)
    for index in indices:
        labels = tiles.tiles[index].labels
        counts[-1] += len(labels) == 0
        counts[:-1] += np.bincount(labels, minlength=len(tiles.class_names))
    return counts


def split_report(tiles: TileSet, split: Split) -> dict[str, Any]:
    """What lies where, and the proof that nothing leaks: groups on both sides, nearest look-alikes across.

    `nearest_bits` is the smallest number of differing hash bits (of 256) between the parts; unrelated tiles
    differ in about 128.
    """
    groups = {part: sorted({tiles.tiles[i].group for i in getattr(split, part)}) for part in ("train", "val")}
    hashes = {
        part: np.stack([perceptual_hash(tiles.tiles[i].path) for i in getattr(split, part)])
        for part in ("train", "val")
    }
    nearest = min(int(np.bitwise_count(hashes["train"] ^ h).sum(1).min()) for h in hashes["val"])
    report: dict[str, Any] = {"groups_on_both_sides": sorted(set(groups["train"]) & set(groups["val"]))}
    report["nearest_bits"] = nearest
    for part in ("train", "val"):
        content = _content(tiles, list(getattr(split, part)))
        report[part] = {
            "tiles": len(getattr(split, part)),
            "backgrounds": int(content[-1]),
            "boxes": {name: int(n) for name, n in zip(tiles.class_names, content[:-1], strict=True)},
            "groups": groups[part],
        }
    return report
