"""One survey line on its way through the network: tiles out, boxes in, objects merged, contacts measured."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import groupby

import numpy as np

from app.detector.detections import Runtime
from app.survey.boxes import SeabedBox
from app.survey.contact import Contact
from app.survey.correct import CorrectedBlock
from app.survey.grid import SurveyGrid
from app.survey.measure import Surroundings, measured_contact
from app.survey.merge import merge_boxes
from app.survey.options import SurveyOptions
from app.survey.stages import StageClock
from app.survey.tiles import Tile, TileCutter
from app.survey.window import Window

COARSE_LEAST_SHARE = 0.5
"""The coarse pass speaks for objects from this share of the fine tiles' overlap on; smaller ones are whole in
some fine tile and seen better there."""


class LineDetector:
    """Takes corrected blocks of one recording in turn; gives contacts as soon as no tile can add to them."""

    def __init__(
        self,
        runtime: Runtime,
        options: SurveyOptions,
        *,
        source: str,
        ping_spacing_m: float | None,
        clock: StageClock,
        workers: Executor,
    ) -> None:
        self._runtime = runtime
        self._options = options
        self._source = source
        self._ping_spacing_m = ping_spacing_m
        self._clock = clock
        self._workers = workers
        self._segment: _Segment | None = None

    def push(self, block: CorrectedBlock) -> list[Contact]:
        """Contacts that are complete with this block."""
        done: list[Contact] = []
        if self._segment is not None and self._segment.grid != block.grid:
            done = self.finish()
        if self._segment is None:
            self._segment = _Segment(block.grid, self._options)
        tiles = self._segment.push(block)
        self._segment.pending += self._boxes(tiles)
        return done + self._contacts(self._segment, final=False)

    def finish(self) -> list[Contact]:
        """Contacts that waited for more rows; the recording, or its range setting, ends here."""
        if self._segment is None:
            return []
        segment, self._segment = self._segment, None
        segment.pending += self._boxes(segment.finish())
        return self._contacts(segment, final=True)

    def _boxes(self, tiles: list[Tile]) -> list[SeabedBox]:
        size = min(self._options.batch_size, -(-len(tiles) // self._options.workers))
        batches = list(_batches(tiles, max(1, size)))
        with self._clock.stage("network"):
            return [box for found in self._workers.map(self._found, batches) for box in found]

    def _found(self, batch: Sequence[Tile]) -> list[SeabedBox]:
        images_BHW = np.stack([tile.image_HW for tile in batch])
        answers = self._runtime.detect(images_BHW, min_score=self._options.min_score)
        return [box for tile, answer in zip(batch, answers, strict=True) for box in tile.seabed_boxes(answer)]

    def _contacts(self, segment: "_Segment", *, final: bool) -> list[Contact]:
        with self._clock.stage("merge and measure"):
            around = Surroundings(
                source=self._source,
                window=segment.window,
                class_names=self._runtime.class_names,
                crs=self._options.crs,
                ping_spacing_m=self._ping_spacing_m,
                thumbnail_px=self._options.thumbnail_px,
            )
            contacts = [measured_contact(box, around) for box in segment.completed(final=final)]
            segment.forget()
            return contacts


class _Segment:
    """A stretch of a line that was recorded with one range setting."""

    def __init__(self, grid: SurveyGrid, options: SurveyOptions) -> None:
        self.grid = grid
        self.window = Window()
        self.pending: list[SeabedBox] = []
        self._options = options
        self._factors = [1] if options.coarse_factor == 1 else [1, options.coarse_factor]
        self._cutters = [
            TileCutter(
                tile_px=options.tile_px,
                widest_px=options.widest_tile_px,
                overlap_px=options.overlap_px,
                coarse=factor > 1,
            )
            for factor in self._factors
        ]

    def push(self, block: CorrectedBlock) -> list[Tile]:
        self.window.push(block)
        tiles: list[Tile] = []
        for factor, cutter in zip(self._factors, self._cutters, strict=True):
            tiles += cutter.push(block.strip if factor == 1 else block.strip.shrunk(factor))
        return tiles

    def finish(self) -> list[Tile]:
        return [tile for cutter in self._cutters for tile in cutter.finish()]

    def completed(self, *, final: bool) -> list[SeabedBox]:
        """Objects that no tile to come can add to; all of them at the end."""
        self.pending = [box for box in self.pending if not box.coarse or self._is_large(box)]
        safe_ping = float("inf") if final else self._safe_ping - 1
        merged = merge_boxes(self.pending)
        self.pending = [member for m in merged if m.end_ping >= safe_ping for member in m.members]
        ready = [m.box for m in merged if m.end_ping < safe_ping]
        return sorted(ready, key=lambda box: (box.start_ping, box.side, box.near_m))

    def forget(self) -> None:
        """Let go of rows that no contact to come lies in or needs around it."""
        first_ping = min([self._safe_ping, *(box.start_ping for box in self.pending)])
        self.window.forget_before(first_ping - self._options.tile_px / self.grid.rows_per_ping)

    @property
    def _safe_ping(self) -> float:
        return min(cutter.safe_ping for cutter in self._cutters)

    def _is_large(self, box: SeabedBox) -> bool:
        rows = (box.end_ping - box.start_ping) * self.grid.rows_per_ping
        columns = (box.far_m - box.near_m) / self.grid.pixel_m
        return max(rows, columns) >= COARSE_LEAST_SHARE * self._options.overlap_px


def _batches(tiles: Iterable[Tile], size: int) -> Iterator[Sequence[Tile]]:
    """Tiles of one shape, so many at a time."""
    ordered = sorted(tiles, key=lambda tile: tile.image_HW.shape)
    for _, group in groupby(ordered, key=lambda tile: tile.image_HW.shape):
        same = list(group)
        for start in range(0, len(same), size):
            yield same[start : start + size]
