"""Pixels decoded once: in memory while they fit, in a memory map beyond that."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.dataset.images import read_grey
from app.dataset.tiles import TileSet
from app.device.host_memory import host_free_bytes
from app.device.shared_bytes import CAN_SHARE, SharedBytes
from app.errors import DatasetError
from app.storage import output_error

MEMORY_SHARE = 0.4
"""Of the memory that is free when the caches of a machine are made; the rest is for training."""


class PixelCache:
    """Grey pixels of every tile of a set; decoded at the first use, from any thread.

    Where `shared_bytes.CAN_SHARE`, processes that it is sent to share its pixels.
    """

    def __init__(
        self, tiles: TileSet, *, limit_bytes: int | None = None, folder: Path | None = None, sharers: int = 1
    ) -> None:
        """Reserve the room.

        Args:
            limit_bytes: sets larger than this go to a memory-mapped file; None for a share of the free memory.
            folder: where that file lies; the system's temporary folder if None. It goes with this object.
            sharers: processes on this machine that make a cache each.

        Raises:
            OutputError: the file cannot be made, or the disk has no room for it.
        """
        self._tiles = tiles.tiles
        sizes = np.asarray([t.height_px * t.width_px for t in self._tiles], dtype=np.int64)
        self._offsets = np.concatenate(([0], np.cumsum(sizes)))
        total = int(self._offsets[-1])
        if limit_bytes is None:
            limit_bytes = int(host_free_bytes() * MEMORY_SHARE / sharers)
        self.in_memory = total <= limit_bytes
        room = max(1, total + len(sizes))
        if not self.in_memory:
            self._room = _room_on_disk(room, folder)
        else:
            self._room = SharedBytes.in_memory(room) if CAN_SHARE else np.zeros(room, dtype=np.uint8)
        self._divide()

    @property
    def shared(self) -> tuple[SharedBytes, ...]:
        """The pixels, where processes can share them."""
        return (self._room,) if isinstance(self._room, SharedBytes) else ()

    def _divide(self) -> None:
        room = self._room.array if isinstance(self._room, SharedBytes) else self._room
        self._pixels, decoded = np.split(room, [self._offsets[-1]])
        self._decoded = decoded.view(bool)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_pixels", "_decoded")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._divide()

    def get(self, index: int) -> NDArray[np.uint8]:
        """Pixels (H, W) of a tile; a view that must not be written to.

        Raises:
            DatasetError: the file can no longer be read, or has another size than when it was checked.
        """
        tile = self._tiles[index]
        view = self._pixels[self._offsets[index] : self._offsets[index + 1]]
        view = view.reshape(tile.height_px, tile.width_px)
        # Two may decode the same tile at once: both write the same bytes.
        if not self._decoded[index]:
            image = read_grey(tile.path)
            if image is None or image.shape != view.shape:
                raise DatasetError(f"{tile.path} changed or vanished during the run; restore the data set")
            view[:] = image
            self._decoded[index] = True
        return view


def _room_on_disk(room: int, folder: Path | None) -> "SharedBytes | NDArray[np.uint8]":
    try:
        # The name disappears at once; the space is freed when the map is, even after a crash.
        with tempfile.TemporaryFile(dir=folder) as stream:
            if not hasattr(os, "posix_fallocate"):
                return np.memmap(stream, dtype=np.uint8, mode="w+", shape=(room,))
            # A map of a sparse file on a full disk kills the process instead of raising an error.
            os.posix_fallocate(stream.fileno(), 0, room)
            return SharedBytes.in_file(stream, room)
    except OSError as error:
        raise output_error(folder or Path(tempfile.gettempdir()), error) from error
