"""Ends a training that does nothing: asks first, and where nobody answers ends the process.

What it cannot end: a process whose threads are all held by one that never lets go of the interpreter. For that the
machine's own hard stop is there.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from types import TracebackType

from app.exit_codes import ExitCode
from app.telemetry.gpu_meter import GpuMeter
from app.telemetry.idleness import Idleness
from app.training.limits import Interruption, Limits

TICK_S = 1.0
GRACE_S = 120.0
"""A training that was asked and gave no sign of life for so long hangs. No step takes two minutes; and with the last
words it is below the five minutes after which a rented machine's hard stop comes."""
ENDING_GRACE_S = 600.0
"""The same while the last checkpoint is written and mirrored: minutes of a slow line cost cents, a lost one hours."""
LAST_WORDS_S = 60.0
"""What is still written from outside must be done by then."""


class Rest:
    """Whether the training's state may be read by another thread: only while the loop waits for data.

    At any other moment weights, optimiser and position may be of different steps.
    """

    def __init__(self) -> None:
        self._working = Lock()
        self._working.acquire()

    @contextmanager
    def rest(self) -> Iterator[None]:
        """For the loop, around its waiting."""
        self._working.release()
        try:
            yield
        finally:
            self._working.acquire()

    def claim(self, timeout_s: float) -> bool:
        """For another thread: whether the loop rests; if so, it never works again."""
        return self._working.acquire(timeout=timeout_s)


class Watchdog:
    """A thread beside one training."""

    def __init__(
        self,
        interruption: Interruption,
        limits: Limits,
        *,
        meter: GpuMeter,
        idle_minutes: float | None,
        started_s: float,
        last_words: Callable[[ExitCode, str], None],
        clock: Callable[[], float] = time.monotonic,
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        """
        Args:
            idle_minutes: None watches the limits alone.
            started_s: since when the limits count, by `clock`.
            last_words: writes what can be written safely while the loop hangs.
        """
        self._interruption, self._limits, self._meter = interruption, limits, meter
        self._started_s, self._last_words, self._clock, self._leave = started_s, last_words, clock, leave
        self._idleness = Idleness(60 * idle_minutes, clock()) if idle_minutes is not None else None
        self._asked: tuple[ExitCode, str] | None = None
        self._alive_s, self._grace_s = clock(), GRACE_S
        self._over = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> "Watchdog":
        if self._idleness is not None or self._limits.any:
            self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(TICK_S):
            self.tick()

    def alive(self) -> None:
        """The loop got on: a step, a batch of an evaluation, a checkpoint."""
        self._alive_s = self._clock()
        if self._idleness is not None:
            self._idleness.progressed(self._alive_s)

    def ending(self) -> None:
        """The loop has heard, and writes."""
        self.alive()
        self._grace_s = ENDING_GRACE_S

    def tick(self) -> None:
        """Look once: ask where there is a reason, end where nobody answers."""
        now_s = self._clock()
        if self._asked is None:
            self._asked = self._why(now_s)
            if self._asked is not None:
                self._alive_s = max(self._alive_s, now_s)
                self._interruption.end(*self._asked)
        elif now_s - self._alive_s >= self._grace_s:
            self._end(*self._asked)

    def _why(self, now_s: float) -> tuple[ExitCode, str] | None:
        if self._idleness is not None:
            idle = self._idleness.look(self._meter.newest(), now_s)
            if idle is not None:
                return ExitCode.IDLE, idle
        code = self._limits.reached(now_s - self._started_s)
        return (code, self._limits.reason(code)) if code is not None else None

    def _end(self, code: ExitCode, reason: str) -> None:
        words = Thread(
            target=self._last_words,
            args=(code, f"{reason}; the training hung and was ended from outside"),
            daemon=True,
        )
        words.start()
        words.join(LAST_WORDS_S)
        self._leave(int(code))
