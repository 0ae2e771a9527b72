"""What each batch of each epoch holds: told by seed, epoch and number alone, whoever prepares it and when."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.dataset.augment import Augmentation, Source, augment
from app.dataset.cache import PixelCache
from app.dataset.copy_paste import paste
from app.dataset.letterbox import letterbox
from app.dataset.tiles import TileSet
from app.device.shared_bytes import SharedBytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some tiles and their boxes."""

    images_B1HW: NDArray[np.uint8]
    boxes: list[NDArray[np.float32]]
    """B entries of (n, 4) left, top, right, bottom in pixels."""
    labels: list[NDArray[np.int64]]
    """B entries of (n,)."""


class TileBatches:
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
        whole_tiles_from: float = float("inf"),
        part: int = 0,
        parts: int = 1,
    ) -> None:
        """
        Args:
            augmentation: None letterboxes the tiles instead.
            whole_tiles_from: from this epoch on there are no mosaics.
            part: which of the equal parts of each batch these are; all parts together are the batches without
                parts, but for a rest of tiles that cannot be dealt evenly.
        """
        self._tiles, self._cache = tiles.tiles, cache
        self._indices = np.asarray(indices, dtype=np.int64)
        self._size_px, self._batch_size, self._seed = size_px, batch_size, seed
        self._augmentation, self._whole_tiles_from = augmentation, whole_tiles_from
        self._part, self._parts = part, parts
        self._order = -1, self._indices

    def __len__(self) -> int:
        """Batches in an epoch."""
        return batches_of(len(self._indices), self._batch_size, self._parts)

    @property
    def largest_shape(self) -> tuple[int, int, int, int]:
        """(B, 1, H, W) of the images of a full batch."""
        return self._batch_size // self._parts, 1, self._size_px, self._size_px

    @property
    def shared(self) -> tuple[SharedBytes, ...]:
        """What a process needs the descriptors of, to be sent this object."""
        return self._cache.shared

    def batch(self, epoch: int, number: int, into: NDArray[np.uint8] | None = None) -> Batch:
        """One batch, from any thread or process.

        Args:
            into: (B, 1, H, W) of `largest_shape`, of which the images take the first; new memory without it.

        Raises:
            DatasetError: a file vanished during the run.
        """
        order = self._ordered(epoch)
        first = number * self._batch_size
        share = (min(first + self._batch_size, len(order)) - first) // self._parts
        places = range(first + self._part * share, first + (self._part + 1) * share)
        if into is None:
            into = np.empty((share, *self.largest_shape[1:]), dtype=np.uint8)
        images = into[:share]
        augmentation = self._augmentation
        if augmentation is not None and epoch >= self._whole_tiles_from:
            augmentation = augmentation.without_mosaic()
        boxes, labels = [], []
        for image_1HW, place in zip(images, places, strict=True):
            index = int(order[place])
            if augmentation is None:
                image_1HW[0], boxes_here, labels_here = self._letterboxed(index)
            else:
                rng = np.random.Generator(np.random.Philox(key=[self._seed, (epoch << 32) + place + 1]))
                image_1HW[0], boxes_here, labels_here = self._augmented(index, augmentation, rng)
            boxes.append(boxes_here)
            labels.append(labels_here)
        return Batch(images_B1HW=images, boxes=boxes, labels=labels)

    def _ordered(self, epoch: int) -> NDArray[np.int64]:
        known, order = self._order
        if known != epoch:
            order = np.random.Generator(np.random.Philox(key=[self._seed, epoch])).permutation(self._indices)
            self._order = epoch, order
        return order

    def _letterboxed(self, index: int) -> Source:
        source = self._source(index)
        image, scale = letterbox(source[0], self._size_px)
        return image, source[1] * np.float32(scale), source[2]

    def _augmented(self, index: int, augmentation: Augmentation, rng: np.random.Generator) -> Source:
        source = self._source(index)
        if rng.random() < augmentation.copy_paste:
            source = paste(self._source(int(rng.choice(self._indices))), source, rng)
        sources = [source]
        if rng.random() < augmentation.mosaic:
            sources += [self._source(int(i)) for i in rng.choice(self._indices, 3)]
        return augment(sources, self._size_px, augmentation, rng)

    def _source(self, index: int) -> Source:
        tile = self._tiles[index]
        return self._cache.get(index), tile.boxes_xyxy_px, tile.labels


def batches_of(tiles: int, batch_size: int, parts: int = 1) -> int:
    """Batches in an epoch; a last batch that is smaller counts, a single tile left over does not.

    A batch norm cannot learn from one tile.
    """
    whole, rest = divmod(tiles, batch_size)
    rest -= rest % parts
    return whole + (rest > 1 or (rest == 1 and whole == 0))
