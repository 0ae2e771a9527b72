"""Corrected rows into overlapping tiles for the network, as they stream past, and boxes back onto the seabed.

Shape suffixes: H rows and W columns of a tile, N boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.detector.detections import Detections
from app.sonar.waterfall import Floats, Side
from app.survey.boxes import SeabedBox
from app.survey.options import TILE_MULTIPLE_PX
from app.survey.strip import Picture, Strip, join_strips

FILL = 95
"""Grey beyond the picture's edge: the mean that gain normalisation sets."""
EDGE_PX = 2.0
"""A box that comes so close to its tile's inner edge counts as cut by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """One picture for the network and where it lies."""

    image_HW: Picture
    side: Side
    ping_edges: Floats
    """(rows + 1,) ping numbers at the edges of the rows that hold data; rows beyond are filled."""
    first_column: int
    columns: int
    """Columns that hold data; columns beyond are filled."""
    pixel_m: float
    inner_start: bool
    """Whether rows of the recording precede this tile."""
    inner_end: bool
    inner_near: bool
    inner_far: bool
    coarse: bool

    def seabed_boxes(self, detections: Detections) -> Iterator[SeabedBox]:
        """Detections in this tile's pixels as boxes on the seabed; what lies in filled parts is dropped."""
        rows = len(self.ping_edges) - 1
        row_edges = np.arange(rows + 1)
        for box, score, label in zip(
            detections.boxes_xyxy_px, detections.scores, detections.labels, strict=True
        ):
            left, right = np.clip(box[[0, 2]], 0, self.columns)
            top, bottom = np.clip(box[[1, 3]], 0, rows)
            if right - left < 1 or bottom - top < 1:
                continue
            start_ping, end_ping = np.interp([top, bottom], row_edges, self.ping_edges)
            yield SeabedBox(
                side=self.side,
                label=int(label),
                score=float(score),
                start_ping=float(start_ping),
                end_ping=float(end_ping),
                near_m=float((self.first_column + left) * self.pixel_m),
                far_m=float((self.first_column + right) * self.pixel_m),
                cut_start=bool(self.inner_start and top < EDGE_PX),
                cut_end=bool(self.inner_end and bottom > rows - EDGE_PX),
                cut_near=bool(self.inner_near and left < EDGE_PX),
                cut_far=bool(self.inner_far and right > self.columns - EDGE_PX),
                coarse=self.coarse,
            )


def across_tiles(width_px: int, widest_px: int, overlap_px: int) -> tuple[int, list[int]]:
    """Width of the tiles that a side is split into, a multiple of 32, and their first columns.

    One tile as wide as the side where that fits; else as few as possible, which overlap by `overlap_px` or
    more.
    """
    if padded_px(width_px) <= widest_px:
        return padded_px(width_px), [0]
    count = -(-(width_px - overlap_px) // (widest_px - overlap_px))
    tile_px = min(widest_px, padded_px(-(-(width_px + (count - 1) * overlap_px) // count)))
    return tile_px, [round(i * (width_px - tile_px) / (count - 1)) for i in range(count)]


def padded_px(length_px: int) -> int:
    """The next multiple of 32."""
    return -(-length_px // TILE_MULTIPLE_PX) * TILE_MULTIPLE_PX


class TileCutter:
    """Cuts a stream of strips of one scale; keeps only the rows that the next tile begins with."""

    def __init__(self, *, tile_px: int, widest_px: int, overlap_px: int, coarse: bool) -> None:
        self._tile_px = tile_px
        self._widest_px = widest_px
        self._overlap_px = overlap_px
        self._coarse = coarse
        self._kept: Strip | None = None
        self._inner_start = False

    @property
    def safe_ping(self) -> float:
        """Nothing that ends before this ping will be seen again by a tile to come."""
        return float("-inf") if self._kept is None else float(self._kept.ping_edges[0])

    def push(self, strip: Strip) -> list[Tile]:
        """Tiles that are complete with these rows."""
        rows = strip if self._kept is None else join_strips([self._kept, strip])
        tiles: list[Tile] = []
        start = 0
        # The last rows wait: only when more follow it is known that they are not the recording's end.
        while rows.rows - start > self._tile_px:
            tiles += self._cut(rows, start, start + self._tile_px, inner_end=True)
            start += self._tile_px - self._overlap_px
        self._kept = rows.from_row(start)
        return tiles

    def finish(self) -> list[Tile]:
        """The tiles of the rows that are left at the recording's end, shorter than the others."""
        if self._kept is None:
            return []
        tiles = self._cut(self._kept, 0, self._kept.rows, inner_end=False)
        self._kept = None
        return tiles

    def _cut(self, rows: Strip, start: int, end: int, *, inner_end: bool) -> list[Tile]:
        width = rows.width_px
        tile_width, lefts = across_tiles(width, self._widest_px, self._overlap_px)
        tiles = []
        for side, image in rows.images.items():
            for left in lefts:
                part = image[start:end, left : left + tile_width]
                if not part.any():
                    continue
                tile = np.full((padded_px(end - start), tile_width), FILL, np.uint8)
                tile[: part.shape[0], : part.shape[1]] = part
                tiles.append(
                    Tile(
                        image_HW=tile,
                        side=side,
                        ping_edges=rows.ping_edges[start : end + 1],
                        first_column=left,
                        columns=part.shape[1],
                        pixel_m=rows.pixel_m,
                        inner_start=self._inner_start,
                        inner_end=inner_end,
                        inner_near=left > 0,
                        inner_far=left + tile_width < width,
                        coarse=self._coarse,
                    )
                )
        self._inner_start = True
        return tiles
