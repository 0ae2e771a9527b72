"""One process that prepares batches: `python -m app.dataset.tile_worker`, started by `tile_processes`.

Pickles come in on standard input, a `Task` and then any number of `Order`; an answer each goes out on standard output:
boxes and labels of a batch whose images lie in the shared place, or the error that there was.
"""

import os
import pickle
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from app.dataset.tile_batches import TileBatches
from app.device.freed_memory import keep_freed_memory
from app.device.shared_bytes import SharedBytes
from app.errors import SonarstackError

Task = tuple[TileBatches, SharedBytes, tuple[int, ...]]
"""What is prepared, and the places for images: (places, B, 1, H, W)."""
Order = tuple[int, int, int]
"""Epoch, number of the batch, and its place."""
Answer = tuple[list[NDArray[np.float32]], list[NDArray[np.int64]]] | SonarstackError


def main() -> None:
    """Work until there are no more orders: their writer is closed, or gone with its process."""
    orders = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    cv2.setNumThreads(1)
    keep_freed_memory()
    try:
        task: Task = pickle.load(orders)  # noqa: S301
        batches, shared, shape = task
        images = shared.array.reshape(shape)
        while True:
            order: Order = pickle.load(orders)  # noqa: S301
            epoch, number, place = order
            pickle.dump(_answer(batches, epoch, number, images[place]), answers)
            answers.flush()
    except (EOFError, BrokenPipeError):
        os._exit(0)  # without flushing what nobody reads


def _answer(batches: TileBatches, epoch: int, number: int, into: NDArray[np.uint8]) -> Answer:
    try:
        batch = batches.batch(epoch, number, into)
    except SonarstackError as error:
        return error
    return batch.boxes, batch.labels


if __name__ == "__main__":
    main()
