"""Labelled tiles: what every format is read into and written from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.dataset.geometry import TileGeometry


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
    fingerprint: bytes = b""
    """Perceptual hash; empty where the image has no content to compare or was not hashed."""
    geometry: TileGeometry | None = None
    """Where its pixels lie beside the track; None where nobody knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TileSet:
    """A folder of labelled tiles with its class names."""

    root: Path
    class_names: tuple[str, ...]
    tiles: tuple[LabelledTile, ...]
    format: str = ""
    """Which form the folder has, such as `YOLO`; empty for a set that was not read from disk."""

    def __len__(self) -> int:
        return len(self.tiles)

    def subset(self, indices: Sequence[int]) -> "TileSet":
        """The same set with only these tiles, in this order."""
        return replace(self, tiles=tuple(self.tiles[i] for i in indices))

    def name(self, index: int) -> str:
        """Path of a tile below the set's root, with forward slashes; the same on every machine."""
        return relative_name(self.tiles[index].path, self.root)


def relative_name(path: Path, root: Path) -> str:
    """`path` below `root` with forward slashes; the whole path where it lies elsewhere."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
