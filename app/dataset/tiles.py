"""Labelled tiles: what every format is read into and written from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledTile:
    """One image on disk and the boxes in it; an image without boxes is a background tile."""

    path: Path
    height_px: int
    width_px: int
    boxes_xyxy_px: NDArray[np.float32]
    """(N, 4) left, top, right, bottom."""
    labels: NDArray[np.int64]
    """(N,) index into the set's class names."""
    group: str = ""
    """What must stay on one side of a split: survey line, recording minute, near-duplicate cluster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TileSet:
    """A folder of labelled tiles with its class names."""

    root: Path
    class_names: tuple[str, ...]
    tiles: tuple[LabelledTile, ...]

    def __len__(self) -> int:
        return len(self.tiles)

    def subset(self, indices: Sequence[int]) -> "TileSet":
        """The same set with only these tiles, in this order."""
        return TileSet(
            root=self.root, class_names=self.class_names, tiles=tuple(self.tiles[i] for i in indices)
        )
