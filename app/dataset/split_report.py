"""What lies on which side of a split, and the proof that nothing leaks."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.dataset.groups import fingerprints
from app.dataset.images import HASH_BITS
from app.dataset.split import Split, contents
from app.dataset.tiles import TileSet


@dataclass(frozen=True, kw_only=True, slots=True)
class PartReport:
    """One side of a split."""

    tiles: int
    backgrounds: int
    boxes: dict[str, int]
    """By class name; classes without any box in the whole set are left out."""
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitReport:
    """Both sides, and what would show a leak."""

    train: PartReport
    val: PartReport
    groups_on_both_sides: tuple[str, ...]
    """Empty for a split that does not leak."""
    nearest_bits: int | None
    """Smallest number of hash bits that differ between the sides; None without hashes."""
    nearest_pair: tuple[str, str] | None
    """The two tiles that differ so little, for a look at them."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """A few lines for the terminal."""
        lines = [_part_line("train", self.train), _part_line("val", self.val)]
        leaks = ", ".join(self.groups_on_both_sides) or "none"
        lines.append(f"groups on both sides: {leaks}")
        if self.nearest_pair is not None:
            lines.append(
                f"most alike across the split: {self.nearest_bits} of {HASH_BITS} bits differ "
                f"({' and '.join(self.nearest_pair)}); unrelated tiles differ in about {HASH_BITS // 2}"
            )
        for name, part in (("train", self.train), ("val", self.val)):
            lines.append(f"{name} groups: {', '.join(part.groups)}")
        return "\n".join(lines)


def split_report(tiles: TileSet, split: Split) -> SplitReport:
    """Compare the two sides of a split of `tiles`."""
    train, val = _part(tiles, split.train), _part(tiles, split.val)
    nearest_bits, nearest_pair = _nearest(tiles, split)
    return SplitReport(
        train=train,
        val=val,
        groups_on_both_sides=tuple(sorted(set(train.groups) & set(val.groups))),
        nearest_bits=nearest_bits,
        nearest_pair=nearest_pair,
    )


def _part(tiles: TileSet, indices: tuple[int, ...]) -> PartReport:
    counts = contents(tiles, list(indices))
    everywhere = contents(tiles, list(range(len(tiles))))
    return PartReport(
        tiles=len(indices),
        backgrounds=int(counts[-1]),
        boxes={n: int(c) for n, c, e in zip(tiles.class_names, counts, everywhere, strict=False) if e > 0},
        groups=tuple(sorted({tiles.tiles[i].group for i in indices})),
    )


def _nearest(tiles: TileSet, split: Split) -> tuple[int | None, tuple[str, str] | None]:
    hashes = fingerprints(tiles).view(np.uint64)
    telling = np.asarray(hashes.any(axis=1))
    train = [i for i in split.train if telling[i]]
    best: tuple[int | None, tuple[str, str] | None] = (None, None)
    for index in split.val:
        if not telling[index] or not train:
            continue
        distances = np.bitwise_count(hashes[train] ^ hashes[index]).sum(axis=1)
        nearest = int(distances.argmin())
        if best[0] is None or distances[nearest] < best[0]:
            best = int(distances[nearest]), (tiles.name(train[nearest]), tiles.name(index))
    return best


def _part_line(name: str, part: PartReport) -> str:
    boxes = ", ".join(f"{count} {label}" for label, count in part.boxes.items()) or "no boxes"
    return (
        f"{name:5} {part.tiles} tiles in {len(part.groups)} groups: {boxes}, {part.backgrounds} without box"
    )
