"""A picture of a whole recording that never outgrows its size: whenever it would, it is halved."""

import cv2
import numpy as np

from app.sonar.waterfall import Floats, Side
from app.survey.result import Preview
from app.survey.strip import Picture, Strip, join_strips

LEAST_SIDE_PX = 300
"""A side is not made narrower than this: a long line is squeezed along track instead."""


class PreviewPainter:
    """Takes the corrected rows as they stream past and keeps at most `most_px` rows of them."""

    def __init__(self, most_px: int) -> None:
        self._most_px = most_px
        self._factor = 1
        self._painted: list[Strip] = []
        self._pixel_m = 0.0
        self._width_px = 0

    def push(self, strip: Strip) -> None:
        """Paint the rows that follow."""
        if not self._painted:
            self._factor = max(1, -(-2 * strip.width_px // self._most_px))
            self._pixel_m = strip.pixel_m * self._factor
            self._width_px = -(-strip.width_px // self._factor)
        self._painted.append(self._scaled(strip))
        if sum(part.rows for part in self._painted) > 2 * self._most_px:
            self._halve()

    def finish(self) -> Preview | None:
        """The whole picture; None where nothing was painted."""
        if not self._painted:
            return None
        while sum(part.rows for part in self._painted) > self._most_px:
            self._halve()
        whole = join_strips(self._painted)
        empty = np.zeros((whole.rows, 0), np.uint8)
        port = whole.images.get(Side.PORT, empty)
        starboard = whole.images.get(Side.STARBOARD, empty)
        return Preview(
            image_HW=np.ascontiguousarray(np.hstack([port[:, ::-1], starboard])),
            ping_edges=whole.ping_edges,
            nadir_px=port.shape[1],
            pixel_m=whole.pixel_m,
        )

    def _scaled(self, strip: Strip) -> Strip:
        """Rows at this picture's scale, the first block's, whatever the range setting is now."""
        rows = max(1, round(strip.rows / self._factor))
        return Strip(
            images={side: self._fitted(image, strip.pixel_m, rows) for side, image in strip.images.items()},
            ping_edges=_thinned(strip.ping_edges, rows),
            pixel_m=self._pixel_m,
        )

    def _fitted(self, image: Picture, pixel_m: float, rows: int) -> Picture:
        width = max(1, round(image.shape[1] * pixel_m / self._pixel_m))
        if (rows, width) != image.shape:
            image = cv2.resize(image, (width, rows), interpolation=cv2.INTER_AREA)
        fitted = np.zeros((rows, self._width_px), np.uint8)
        kept = min(width, self._width_px)
        fitted[:, :kept] = image[:, :kept]
        return fitted

    def _halve(self) -> None:
        """Half the rows; half the columns too while enough of them are left to see something."""
        whole = join_strips(self._painted)
        self._factor *= 2
        narrower = 2 if self._width_px >= 2 * LEAST_SIDE_PX else 1
        self._pixel_m *= narrower
        self._width_px = -(-self._width_px // narrower)
        rows = max(1, whole.rows // 2)
        size = (self._width_px, rows)
        images = {
            side: np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
            for side, image in whole.images.items()
        }
        self._painted = [
            Strip(images=images, ping_edges=_thinned(whole.ping_edges, rows), pixel_m=self._pixel_m)
        ]


def _thinned(edges: Floats, rows: int) -> Floats:
    old = np.arange(len(edges))
    return np.interp(np.linspace(0, len(edges) - 1, rows + 1), old, edges)
