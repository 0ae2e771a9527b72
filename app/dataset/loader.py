"""Batches for training, prepared ahead of the device by threads or processes, the same at every run.

What a tile looks like depends on seed, epoch and its place in the epoch alone: not on who prepares it, not on where
a run was interrupted.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from app.dataset.tile_batches import Batch, TileBatches
from app.dataset.tile_processes import LostWorkerError, TileProcesses

BATCHES_AHEAD = 4
"""For each worker."""


class TileLoader:
    """Batches of an epoch, in order."""

    def __init__(
        self,
        batches: TileBatches,
        *,
        workers: int = 1,
        processes: bool = False,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Args:
            workers: threads or processes that prepare batches.
            processes: those; only where `shared_bytes.CAN_SHARE`, and `close` ends them.
            note: is told when they died and threads go on in their place.
        """
        self._batches, self._workers, self._note = batches, max(1, workers), note
        self._processes = (
            TileProcesses(batches, self._workers, batches_ahead=BATCHES_AHEAD) if processes else None
        )

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._batches)

    def batches(self, epoch: int, start_batch: int = 0) -> Generator[Batch]:
        """Batches of an epoch from `start_batch` on; closing the iterator ends the threads.

        Raises:
            DatasetError: a file vanished during the run.
        """
        if self._processes is not None:
            try:
                for batch in self._processes.batches(epoch, range(start_batch, len(self))):
                    yield batch
                    start_batch += 1
            except LostWorkerError as error:
                self._note(f"{error}: going on with threads, which may be slower")
                self._processes = None
            else:
                return
        yield from self._by_threads(epoch, range(start_batch, len(self)))

    def close(self) -> None:
        """End the processes; threads prepare what is asked for later."""
        if self._processes is not None:
            self._processes.close()
            self._processes = None

    def _by_threads(self, epoch: int, numbers: Iterable[int]) -> Generator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="tiles") as pool:
            try:
                for number in numbers:
                    waiting.append(pool.submit(self._batches.batch, epoch, number))
                    if len(waiting) >= BATCHES_AHEAD * self._workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
