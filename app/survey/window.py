"""The rows that contacts may still be found in: a rolling window over the corrected recording."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from app.sonar.waterfall import Floats, Side
from app.survey.correct import CorrectedBlock
from app.survey.pings import PingTable
from app.survey.strip import Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """A piece of the corrected picture."""

    image_HW: Picture
    ping_edges: Floats
    """(H + 1,) ping numbers at the rows' edges."""
    near_m: float
    """Ground range of the left edge."""
    pixel_m: float

    def box_px(
        self, *, start_ping: float, end_ping: float, near_m: float, far_m: float
    ) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a seabed box in this picture, clipped to it."""
        rows = np.arange(len(self.ping_edges))
        top, bottom = np.interp([start_ping, end_ping], self.ping_edges, rows)
        left, right = np.clip(
            [(near_m - self.near_m) / self.pixel_m, (far_m - self.near_m) / self.pixel_m],
            0,
            self.image_HW.shape[1],
        )
        return float(left), float(top), float(right), float(bottom)

    def ground_m(self, column_px: float) -> float:
        """Ground range at a column edge."""
        return self.near_m + column_px * self.pixel_m


class Window:
    """Blocks of one grid, oldest first; `forget_before` lets go of what no contact needs any more."""

    def __init__(self) -> None:
        self._blocks: deque[CorrectedBlock] = deque()

    def push(self, block: CorrectedBlock) -> None:
        """Add the block that follows."""
        self._blocks.append(block)

    def forget_before(self, ping: float) -> None:
        """Drop whole blocks that end before this ping; the newest block stays."""
        while len(self._blocks) > 1 and self._blocks[0].pings.end_ping - 0.5 < ping:
            self._blocks.popleft()

    def pings_around(self, ping: float) -> PingTable:
        """The table of the block that holds this ping, or of the nearest block."""
        for block in self._blocks:
            if ping < block.pings.end_ping - 0.5:
                return block.pings
        return self._blocks[-1].pings

    def crop(self, side: Side, *, start_ping: float, end_ping: float, near_m: float, far_m: float) -> Crop:
        """The picture of a stretch of seabed, clipped to what the window holds; at least one pixel."""
        pixel_m, width_px = self._blocks[0].grid.pixel_m, self._blocks[0].grid.width_px
        left = min(max(0, int(near_m / pixel_m)), width_px - 1)
        right = min(max(left + 1, int(np.ceil(far_m / pixel_m))), width_px)
        images, edges = [], []
        for block in self._blocks:
            strip = block.strip
            first = int(np.searchsorted(strip.ping_edges, start_ping, side="right")) - 1
            last = int(np.searchsorted(strip.ping_edges, end_ping, side="left"))
            first, last = max(first, 0), min(last, strip.rows)
            if last > first and side in strip.images:
                images.append(strip.images[side][first:last, left:right])
                edges.append(strip.ping_edges[first : last + 1])
        if not images:
            strip = self._blocks[-1].strip
            images, edges = [strip.images[side][-1:, left:right]], [strip.ping_edges[-2:]]
        return Crop(
            image_HW=np.concatenate(images),
            ping_edges=np.concatenate([edges[0], *(e[1:] for e in edges[1:])]),
            near_m=left * pixel_m,
            pixel_m=pixel_m,
        )
