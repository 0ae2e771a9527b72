"""How much memory is used, of the host and of the device."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Event, Thread

import psutil
import torch

from app.device.host_memory import host_limit_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryReading:
    """One look; device figures are None where the device is the CPU."""

    host_used_mib: float
    """Resident size of this process."""
    host_limit_mib: float
    """Of the machine, or of the container where that is less."""
    device_used_mib: float | None
    device_peak_mib: float | None
    device_limit_mib: float | None

    def as_dict(self) -> dict[str, float]:
        """Without the fields that do not apply, rounded."""
        return {k: round(v, 1) for k, v in asdict(self).items() if v is not None}


class MemoryMonitor:
    """Reads the memory of this process and of one device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()

    def read(self) -> MemoryReading:
        """Look now."""
        used, peak, limit = self._device_mib()
        return MemoryReading(
            host_used_mib=self._process.memory_info().rss / 2**20,
            host_limit_mib=host_limit_bytes() / 2**20,
            device_used_mib=used,
            device_peak_mib=peak,
            device_limit_mib=limit,
        )

    def _device_mib(self) -> tuple[float | None, float | None, float | None]:
        kind = self._device.type
        if kind == "cuda":
            free, total = torch.cuda.mem_get_info(self._device)
            return (
                (total - free) / 2**20,
                torch.cuda.max_memory_allocated(self._device) / 2**20,
                total / 2**20,
            )
        if kind == "xpu":
            total = torch.xpu.get_device_properties(self._device).total_memory
            used = torch.xpu.memory_allocated(self._device)
            return used / 2**20, torch.xpu.max_memory_allocated(self._device) / 2**20, total / 2**20
        if kind == "mps":
            used = torch.mps.driver_allocated_memory()
            return used / 2**20, None, torch.mps.recommended_max_memory() / 2**20
        return None, None, None


@dataclass(slots=True)
class Peak:
    """Filled when `peak_memory` ends."""

    bytes: int = 0


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Largest memory that a stretch of work took: of the device, or of this process on a CPU.

    On CPU and MPS the high-water mark is watched from a thread, a hundred times a second.
    """
    peak = Peak()
    if device.type in ("cuda", "xpu"):
        module = getattr(torch, device.type)
        module.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = int(module.max_memory_allocated(device))
        return
    process, over = psutil.Process(), Event()

    def now() -> int:
        on_device = torch.mps.driver_allocated_memory() if device.type == "mps" else 0
        return on_device or int(process.memory_info().rss)

    def watch() -> None:
        while not over.wait(0.01):
            peak.bytes = max(peak.bytes, now())

    peak.bytes = now()
    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
        peak.bytes = max(peak.bytes, now())
