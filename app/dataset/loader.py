"""Batches for training, prepared by threads ahead of the device, the same at every run.

What a tile looks like depends on seed, epoch and its place in the epoch alone: not on threads, not on where
a run was interrupted.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.dataset.augment import Augmentation, Source, augment
from app.dataset.cache import PixelCache
from app.dataset.copy_paste import paste
from app.dataset.letterbox import letterbox
from app.dataset.tiles import TileSet

BATCHES_AHEAD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some tiles and their boxes."""

    images_B1HW: NDArray[np.uint8]
    boxes: list[NDArray[np.float32]]
    """B entries of (n, 4) left, top, right, bottom in pixels."""
    labels: list[NDArray[np.int64]]
    """B entries of (n,)."""


class TileLoader:
    """Batches of one part of a set, in a new order each epoch."""

    def __init__(
        self,
        tiles: TileSet,
        cache: PixelCache,
        indices: Sequence[int],
        *,
        size_px: int,
        batch_size: int,
        seed: int,
        augmentation: Augmentation | None,
        workers: int = 1,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        """
        Args:
            augmentation: None letterboxes the tiles instead.
            workers: threads that prepare batches.
            part: which of the equal parts of each batch this loader gives; all parts together are the batches
                of a loader without parts, but for a rest of tiles that cannot be dealt evenly.
        """
        self._tiles, self._cache = tiles.tiles, cache
        self._indices = np.asarray(indices, dtype=np.int64)
        self._size_px, self._batch_size, self._seed = size_px, batch_size, seed
        self._augmentation, self._workers = augmentation, max(1, workers)
        self._part, self._parts = part, parts

    def __len__(self) -> int:
        """Batches in an epoch; a last batch that is smaller counts, a single tile left over does not.

        A batch norm cannot learn from one tile.
        """
        whole, rest = divmod(len(self._indices), self._batch_size)
        rest -= rest % self._parts
        return whole + (rest > 1 or (rest == 1 and whole == 0))

    def batches(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """Batches of an epoch from `start_batch` on, in order; closing the iterator ends the threads.

        Raises:
            DatasetError: a file vanished during the run.
        """
        order = np.random.Generator(np.random.Philox(key=[self._seed, epoch])).permutation(self._indices)
        numbers = iter(range(start_batch, len(self)))
        with ThreadPoolExecutor(self._workers, thread_name_prefix="tiles") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for number in numbers:
                    waiting.append(pool.submit(self._batch, order, epoch, number))
                    if len(waiting) >= BATCHES_AHEAD * self._workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _batch(self, order: NDArray[np.int64], epoch: int, number: int) -> Batch:
        first = number * self._batch_size
        share = (min(first + self._batch_size, len(order)) - first) // self._parts
        places = range(first + self._part * share, first + (self._part + 1) * share)
        images = np.empty((len(places), 1, self._size_px, self._size_px), dtype=np.uint8)
        boxes, labels = [], []
        for image_1HW, place in zip(images, places, strict=True):
            image_1HW[0], boxes_here, labels_here = self._sample(order, epoch, place)
            boxes.append(boxes_here)
            labels.append(labels_here)
        return Batch(images_B1HW=images, boxes=boxes, labels=labels)

    def _sample(self, order: NDArray[np.int64], epoch: int, place: int) -> Source:
        source = self._source(int(order[place]))
        if self._augmentation is None:
            image, scale = letterbox(source[0], self._size_px)
            return image, source[1] * np.float32(scale), source[2]
        rng = np.random.Generator(np.random.Philox(key=[self._seed, (epoch << 32) + place + 1]))
        if rng.random() < self._augmentation.copy_paste:
            source = paste(self._source(int(rng.choice(self._indices))), source, rng)
        sources = [source]
        if rng.random() < self._augmentation.mosaic:
            sources += [self._source(int(i)) for i in rng.choice(self._indices, 3)]
        return augment(sources, self._size_px, self._augmentation, rng)

    def _source(self, index: int) -> Source:
        tile = self._tiles[index]
        return self._cache.get(index), tile.boxes_xyxy_px, tile.labels
