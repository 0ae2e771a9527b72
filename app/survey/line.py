"""One survey line on its way through the network: tiles out, boxes in, objects merged, contacts measured."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
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
        clock: StageClock,
        workers: Executor,
    ) -> None:
        self._runtime = runtime
        self._options = options
        self._source = source
        self._ping_spacing_m: float | None = None
        self._clock = clock
        self._workers = workers
        self._segment: _Segment | None = None
        self._asked: _Asked | None = None

    def push(self, block: CorrectedBlock) -> list[Contact]:
        """Contacts that are complete with the block before this one, whose tiles the network has seen meanwhile."""
        done: list[Contact] = []
        self._ping_spacing_m = block.ping_spacing_m
        if self._segment is not None and self._segment.grid != block.grid:
            done = self.finish()
        if self._segment is None:
            self._segment = _Segment(block.grid, self._options)
        before, self._asked = self._asked, self._ask(self._segment, self._segment.push(block))
        return done if before is None else done + self._contacts(self._segment, before)

    def finish(self) -> list[Contact]:
        """Contacts that waited for more rows; the recording, or its range setting, ends here."""
        if self._segment is None:
            return []
        segment, self._segment = self._segment, None
        before, self._asked = self._asked, None
        last = self._ask(segment, segment.finish(), final=True)
        found = [] if before is None else self._contacts(segment, before)
        return found + self._contacts(segment, last)

    def _ask(self, segment: "_Segment", tiles: list[Tile], *, final: bool = False) -> "_Asked":
        """Hand tiles to the network; nobody waits for its answers until the next block's tiles are there too."""
        size = min(self._options.batch_size, -(-len(tiles) // self._options.workers))
        answers = [self._workers.submit(self._found, b) for b in _batches(tiles, max(1, size))]
        return _Asked(answers=answers, safe_ping=float("inf") if final else segment.safe_ping)

    def _found(self, batch: Sequence[Tile]) -> list[SeabedBox]:
        with self._clock.stage("network"):
            images_BHW = np.stack([tile.image_HW for tile in batch])
            answers = self._runtime.detect(images_BHW, min_score=self._options.min_score)
            pairs = zip(batch, answers, strict=True)
            return [box for tile, answer in pairs for box in tile.seabed_boxes(answer)]

    def _contacts(self, segment: "_Segment", asked: "_Asked") -> list[Contact]:
        with self._clock.stage("wait for network"):
            segment.pending += [box for answer in asked.answers for box in answer.result()]
        with self._clock.stage("merge and measure"):
            around = Surroundings(
                source=self._source,
                window=segment.window,
                class_names=self._runtime.class_names,
                crs=self._options.crs,
                ping_spacing_m=self._ping_spacing_m,
                thumbnail_px=self._options.thumbnail_px,
            )
            contacts = [measured_contact(box, around) for box in segment.completed(asked.safe_ping)]
            segment.forget(asked.safe_ping)
            return contacts


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the network has been given."""

    answers: list[Future[list[SeabedBox]]]
    safe_ping: float
    """Nothing that ends before this ping will be seen by tiles that came later."""


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

    def completed(self, safe_ping: float) -> list[SeabedBox]:
        """Objects that no tile to come can add to; all of them at the end."""
        self.pending = [box for box in self.pending if not box.coarse or self._is_large(box)]
        safe_ping -= 1
        merged = merge_boxes(self.pending)
        self.pending = [member for m in merged if m.end_ping >= safe_ping for member in m.members]
        ready = [m.box for m in merged if m.end_ping < safe_ping]
        return sorted(ready, key=lambda box: (box.start_ping, box.side, box.near_m))

    def forget(self, safe_ping: float) -> None:
        """Let go of rows that no contact to come lies in or needs around it."""
        first_ping = min([safe_ping, *(box.start_ping for box in self.pending)])
        self.window.forget_before(first_ping - self._options.tile_px / self.grid.rows_per_ping)

    @property
    def safe_ping(self) -> float:
        """Nothing that ends before this ping will be seen again by a tile to come."""
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
