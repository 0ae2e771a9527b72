"""Processes that prepare batches, for devices faster than one core can feed.

Threads of one Python share its lock: two of them prepare hardly more than one does (measured at 640 px: 550 to 700
images/s against 470 to 645), two processes twice as much. They come from multiprocessing's fork server, a fresh
Python that holds neither torch nor a GPU's driver, so that none of them can keep a GPU's memory after its parent's
death.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from math import prod

import cv2
import numpy as np
from numpy.typing import NDArray

from app.dataset.tile_batches import Batch, TileBatches
from app.device.freed_memory import keep_freed_memory
from app.device.shared_bytes import SharedBytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A batch whose images lie in one of the shared places."""

    place: int
    boxes: list[NDArray[np.float32]]
    labels: list[NDArray[np.int64]]


class TileProcesses:
    """They start with the first batch that is asked for and stay until they are closed."""

    def __init__(self, batches: TileBatches, count: int, *, places: int) -> None:
        """
        Args:
            places: so many batches may be asked for and not yet taken.
        """
        self._shape = (places, *batches.largest_shape)
        shared = SharedBytes.in_memory(prod(self._shape))
        self._images = shared.array.reshape(self._shape)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._pool = ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(batches, shared, self._shape)
        )

    def submit(self, epoch: int, number: int) -> Future[Prepared]:
        """Have a batch prepared; batch `number` lies where the one `places` before it lay.

        Raises:
            BrokenProcessPool: one of the processes has died; the future's result raises it too.
        """
        return self._pool.submit(_prepare, epoch, number, number % self._shape[0])

    def take(self, prepared: Prepared) -> Batch:
        """The batch in memory of its own; its place is free again."""
        images = self._images[prepared.place, : len(prepared.boxes)].copy()
        return Batch(images_B1HW=images, boxes=prepared.boxes, labels=prepared.labels)

    def close(self) -> None:
        """End the processes, waiting for what they have in hand."""
        self._pool.shutdown(cancel_futures=True)


_batches: TileBatches
_images: NDArray[np.uint8]


def _begin(batches: TileBatches, shared: SharedBytes, shape: tuple[int, ...]) -> None:
    """What a new process does first."""
    global _batches, _images
    _batches, _images = batches, shared.array.reshape(shape)
    # A terminal sends Ctrl-C to all of them, a host its signal too: the loop decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    keep_freed_memory()


def _end_with_parent() -> None:
    """A parent that is killed cannot close its pool, and its children would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _prepare(epoch: int, number: int, place: int) -> Prepared:
    batch = _batches.batch(epoch, number, _images[place])
    return Prepared(place=place, boxes=batch.boxes, labels=batch.labels)
