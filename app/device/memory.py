"""How much memory is used, of the host and of the device."""

from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where Linux (cgroup v2) says how much a container may use."""


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


def host_limit_bytes(cgroup_limit: Path = CGROUP_LIMIT) -> int:
    """Memory this process may use: the machine's, or the container's where that is less."""
    total = int(psutil.virtual_memory().total)
    try:
        text = cgroup_limit.read_text().strip()
    except OSError:  # no cgroup v2: macOS, Windows, old kernels
        return total
    return min(total, int(text)) if text.isdecimal() else total
