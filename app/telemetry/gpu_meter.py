"""The GPU's use while something else runs: looked at from a thread, averaged between two log lines."""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

from app.device.gpu_use import GpuProbe, GpuUse

EVERY_S = 1.0
"""NVML's figure covers a sixth of a second to one second, says its documentation: looking more often sees no more."""
SMALLEST_PAUSE = 20
"""A look may take a twentieth of the time at most: a slow nvidia-smi is asked less often."""
STALE_S = 60.0
"""A figure older than this says nothing any more: the driver hangs."""


class GpuMeter:
    """Looks once a second until it is left; without a probe it costs nothing and tells nothing.

    A probe that fails turns the meter off, with one note; training never notices.
    """

    def __init__(
        self,
        probe: GpuProbe | None,
        *,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe, self._note, self._clock = probe, note, clock
        self._lock, self._over = Lock(), Event()
        self._thread: Thread | None = None
        self._seen: list[tuple[GpuUse, ...]] = []
        self._newest: tuple[float, float] | None = None

    def __enter__(self) -> "GpuMeter":
        if self._probe is not None:
            self._thread = Thread(target=self._watch, name="gpu-meter", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=EVERY_S)  # a look that hangs in the driver is left behind

    def _watch(self) -> None:
        pause_s = 0.0
        while not self._over.wait(pause_s) and self._probe is not None:
            started = time.monotonic()
            self.look()
            pause_s = max(EVERY_S, SMALLEST_PAUSE * (time.monotonic() - started))

    def look(self) -> None:
        """Look once."""
        if self._probe is None:
            return
        try:
            seen = self._probe.read()
            training_on = seen[0].percent
        except Exception as error:  # noqa: BLE001 whatever a driver throws: a meter must not end a training
            self._probe, self._newest = None, None
            self._note(f"the GPU's use is not measured any more ({type(error).__name__}); training goes on")
            return
        with self._lock:
            self._seen.append(seen)
            self._newest = (self._clock(), training_on)

    def take(self) -> dict[str, Any]:
        """Means since the last call, for a log line; empty where nothing was measured.

        `gpu_percent` and `gpu_memory_percent` are of the GPU that is trained on; `gpu_percent_each` is there where the
        process sees several.
        """
        with self._lock:
            seen, self._seen = self._seen, []
        if not seen:
            return {}
        each = [sum(use.percent for use in gpu) / len(gpu) for gpu in zip(*seen, strict=True)]
        memory = sum(look[0].memory_percent for look in seen) / len(seen)
        line: dict[str, Any] = {"gpu_percent": round(each[0], 1), "gpu_memory_percent": round(memory, 1)}
        if len(each) > 1:
            line["gpu_percent_each"] = [round(percent, 1) for percent in each]
        return line

    def newest(self) -> float | None:
        """Percent at the last look; None where it is not known, or not any more."""
        with self._lock:
            if self._newest is None or self._clock() - self._newest[0] > STALE_S:
                return None
            return self._newest[1]
