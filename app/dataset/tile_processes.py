"""Processes that prepare batches, for devices faster than one core can feed.

Threads of one Python share its lock: two of them prepare hardly more than one does (measured at 640 px: 546 to 697
images/s against 477 to 598), two processes 1,016 to 1,124. Each is a fresh Python with two pipes of its own. It holds
neither torch nor a GPU's driver, does not run the caller's script again as multiprocessing's do, and ends when its
orders do, however its parent ended.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import suppress
from math import prod
from typing import IO

from app.dataset.tile_batches import Batch, TileBatches
from app.dataset.tile_worker import Answer, Order, Task
from app.device.shared_bytes import SharedBytes
from app.errors import SonarstackError


class LostWorkerError(Exception):
    """A process could not be started or has died; the text says which of it."""


class TileProcesses:
    """They start with the first batch that is asked for and stay until they are closed."""

    def __init__(self, batches: TileBatches, count: int, *, batches_ahead: int) -> None:
        """
        Args:
            batches_ahead: of each process.
        """
        self._batches, self._count = batches, count
        self._shape = (count * batches_ahead, *batches.largest_shape)
        self._shared = SharedBytes.in_memory(prod(self._shape))
        self._images = self._shared.array.reshape(self._shape)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._lost: LostWorkerError | None = None

    def batches(self, epoch: int, numbers: Iterable[int]) -> Generator[Batch]:
        """Batches that follow one another, in memory of their own.

        Raises:
            LostWorkerError: see there; what was not yielded has to be prepared by others.
            DatasetError: a file vanished during the run.
        """
        waiting: deque[int] = deque()
        try:
            self._start()
            for number in numbers:
                self._ask(epoch, number)
                waiting.append(number)
                if len(waiting) == len(self._images):
                    yield self._take(waiting.popleft())
            while waiting:
                yield self._take(waiting.popleft())
        finally:
            self._finish(waiting)

    def close(self) -> None:
        """End the processes at once."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            for stream in (worker.stdin, worker.stdout):
                with suppress(BrokenPipeError):  # of an order that did not reach it
                    _open(stream).close()
            worker.wait()
        self._workers = []

    def _start(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._workers:
            return
        descriptors = [shared.descriptor for shared in (self._shared, *self._batches.shared)]
        # A terminal sends Ctrl-C to all processes, a host its signal too: the loop decides when to end. Children keep
        # this thread's mask from their first instruction on; a handler of their own would come a second late.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            for _ in range(self._count):
                self._workers.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "app.dataset.tile_worker"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        pass_fds=descriptors,
                        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                    )
                )
        except OSError as error:
            self.close()
            raise LostWorkerError(f"no process can be started ({error.strerror})") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        task: Task = (self._batches, self._shared, self._shape)
        content = pickle.dumps(task)
        for worker in self._workers:
            self._send(worker, content)

    def _ask(self, epoch: int, number: int) -> None:
        order: Order = (epoch, number, number % len(self._images))
        self._send(self._worker(number), pickle.dumps(order))

    def _take(self, number: int) -> Batch:
        """The batch that was asked for longest ago of its process; its place is free again."""
        answer = self._answer(number)
        if isinstance(answer, SonarstackError):
            raise answer
        boxes, labels = answer
        images = self._images[number % len(self._images), : len(boxes)].copy()
        return Batch(images_B1HW=images, boxes=boxes, labels=labels)

    def _answer(self, number: int) -> Answer:
        try:
            answer: Answer = pickle.load(_open(self._worker(number).stdout))  # noqa: S301  # of a process of our own
        except (EOFError, pickle.UnpicklingError) as error:
            raise self._ended(self._worker(number)) from error
        return answer

    def _finish(self, waiting: Iterable[int]) -> None:
        """Wait for what nobody will take: its places must not be given to others before."""
        for number in waiting if self._workers else ():
            try:
                self._answer(number)
            except LostWorkerError as error:
                self._lost = error  # told when the next batch is asked for
                return

    def _worker(self, number: int) -> "subprocess.Popen[bytes]":
        return self._workers[number % self._count]

    def _send(self, worker: "subprocess.Popen[bytes]", what: bytes) -> None:
        try:
            stream = _open(worker.stdin)
            stream.write(what)
            stream.flush()
        except OSError as error:
            raise self._ended(worker) from error

    def _ended(self, worker: "subprocess.Popen[bytes]") -> LostWorkerError:
        try:
            code = worker.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0  # it has closed its pipes and lives on
        self.close()
        how = (
            f"was killed by signal {-code}, as where memory is short"
            if code < 0
            else f"ended with code {code}"
        )
        return LostWorkerError(f"a process that prepares tiles {how}")


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
