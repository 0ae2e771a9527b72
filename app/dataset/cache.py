"""Pixels decoded once: in memory while they fit, in a memory map beyond that."""

import os
import tempfile
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from app.dataset.images import read_grey
from app.dataset.tiles import TileSet
from app.errors import DatasetError
from app.storage import output_error

MEMORY_SHARE = 0.4
"""Of the memory that is free when the cache is made; the rest is for training."""


class PixelCache:
    """Grey pixels of every tile of a set; decoded at the first use, from any thread."""

    def __init__(self, tiles: TileSet, *, limit_bytes: int | None = None, folder: Path | None = None) -> None:
        """Reserve the room.

        Args:
            limit_bytes: sets larger than this go to a memory-mapped file; None for a share of the free memory.
            folder: where that file lies; the system's temporary folder if None. It goes with this object.

        Raises:
            OutputError: the file cannot be made, or the disk has no room for it.
        """
        self._tiles = tiles.tiles
        sizes = np.asarray([t.height_px * t.width_px for t in self._tiles], dtype=np.int64)
        self._offsets = np.concatenate(([0], np.cumsum(sizes)))
        total = int(self._offsets[-1])
        self._decoded = np.zeros(len(sizes), dtype=bool)
        if limit_bytes is None:
            limit_bytes = int(psutil.virtual_memory().available * MEMORY_SHARE)
        self.in_memory = total <= limit_bytes
        self._pixels: NDArray[np.uint8]
        if self.in_memory:
            self._pixels = np.empty(total, dtype=np.uint8)
            return
        try:
            # The name disappears at once; the space is freed when the map is, even after a crash.
            with tempfile.TemporaryFile(dir=folder) as stream:
                if hasattr(os, "posix_fallocate"):
                    # A map of a sparse file on a full disk kills the process instead of raising an error.
                    os.posix_fallocate(stream.fileno(), 0, total)
                self._pixels = np.memmap(stream, dtype=np.uint8, mode="w+", shape=(total,))
        except OSError as error:
            raise output_error(folder or Path(tempfile.gettempdir()), error) from error

    def get(self, index: int) -> NDArray[np.uint8]:
        """Pixels (H, W) of a tile; a view that must not be written to.

        Raises:
            DatasetError: the file can no longer be read, or has another size than when it was checked.
        """
        tile = self._tiles[index]
        view = self._pixels[self._offsets[index] : self._offsets[index + 1]]
        view = view.reshape(tile.height_px, tile.width_px)
        # Two threads may decode the same tile at once: both write the same bytes.
        if not self._decoded[index]:
            image = read_grey(tile.path)
            if image is None or image.shape != view.shape:
                raise DatasetError(f"{tile.path} changed or vanished during the run; restore the data set")
            view[:] = image
            self._decoded[index] = True
        return view
