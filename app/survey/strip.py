"""Corrected rows of one block: what tiles are cut from, and what contacts are measured in.

Shape suffixes: R rows of the corrected picture, W pixels across track, P pings.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.waterfall import Floats, Side

Picture = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """Consecutive rows of both sides on the seabed, evenly lit, in square pixels."""

    images: dict[Side, Picture]
    """(R, W) per recorded side, column 0 at the nadir."""
    ping_edges: Floats
    """(R + 1,) ping number at each row's edges; ping p covers p - .5 to p + .5."""
    pixel_m: float
    """Width of a pixel across track."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.ping_edges) - 1

    @property
    def width_px(self) -> int:
        """Number of columns of a side."""
        return next((image.shape[1] for image in self.images.values()), 0)

    def shrunk(self, factor: int) -> "Strip":
        """The same rows at 1/factor of the scale, averaged over areas."""
        rows = max(1, round(self.rows / factor))
        width = max(1, -(-self.width_px // factor))
        old_edges = np.linspace(0, self.rows, rows + 1)
        return Strip(
            images={side: _shrink(image, rows, width, factor) for side, image in self.images.items()},
            ping_edges=np.interp(old_edges, np.arange(self.rows + 1), self.ping_edges),
            pixel_m=self.pixel_m * factor,
        )

    def from_row(self, row: int) -> "Strip":
        """The rows from `row` on, copied so that the rows before can be let go."""
        return Strip(
            images={side: image[row:].copy() for side, image in self.images.items()},
            ping_edges=self.ping_edges[row:].copy(),
            pixel_m=self.pixel_m,
        )


def _shrink(image: Picture, rows: int, width: int, factor: int) -> Picture:
    # Columns are made a multiple of the factor first, so that a coarse pixel is exactly `factor` fine ones.
    missing = width * factor - image.shape[1]
    if missing:
        image = cv2.copyMakeBorder(image, 0, 0, 0, missing, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(image, (width, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def join_strips(strips: list[Strip]) -> Strip:
    """Successive strips as one; they must share sides, width and pixel size."""
    if len(strips) == 1:
        return strips[0]
    first = strips[0]
    return Strip(
        images={side: np.concatenate([s.images[side] for s in strips]) for side in first.images},
        ping_edges=np.concatenate([first.ping_edges, *(s.ping_edges[1:] for s in strips[1:])]),
        pixel_m=first.pixel_m,
    )
