"""How busy a GPU is: NVIDIA's library where it is installed, else the program nvidia-smi, else nothing."""

import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, Protocol

import torch

SMI_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuUse:
    """One look at one GPU."""

    percent: float
    """Part of the last moments in which it computed anything at all, 0 to 100."""
    memory_percent: float
    """Part of its memory that is taken, by whomever."""


class GpuProbe(Protocol):
    """The one seam to the driver; tests give their own."""

    def read(self) -> tuple[GpuUse, ...]:
        """Every GPU that this process sees, the one it trains on first. Any exception is a failed look."""
        ...


class NvmlProbe:
    """Asks NVIDIA's management library: about a tenth of a millisecond a GPU."""

    def __init__(self, uuids: tuple[str, ...], nvml: Any) -> None:
        self._nvml = nvml
        nvml.nvmlInit()
        self._handles = [nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in uuids]

    def read(self) -> tuple[GpuUse, ...]:
        """See `GpuProbe.read`."""
        return tuple(self._read(handle) for handle in self._handles)

    def _read(self, handle: Any) -> GpuUse:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return GpuUse(
            percent=float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_percent=100 * memory.used / memory.total,
        )


class SmiProbe:
    """Runs nvidia-smi, which comes with every driver: a process at each look."""

    def __init__(self, uuids: tuple[str, ...], program: str) -> None:
        self._command = [
            program,
            f"--id={','.join(uuids)}",
            "--query-gpu=uuid,utilization.gpu,memory.used,memory.total",
            "--format=csv,noheader,nounits",
        ]
        self._uuids = uuids

    def read(self) -> tuple[GpuUse, ...]:
        """See `GpuProbe.read`.

        Raises:
            ValueError: an answer that is no table of numbers, as under MIG (`[N/A]`).
        """
        done = subprocess.run(  # noqa: S603 a program of the driver, with fixed words
            self._command, capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=True
        )
        rows = [[cell.strip() for cell in row.split(",")] for row in done.stdout.splitlines() if row.strip()]
        by_uuid = {row[0]: [float(cell) for cell in row[1:]] for row in rows}
        return tuple(
            GpuUse(percent=percent, memory_percent=100 * used / total)
            for percent, used, total in (by_uuid[uuid] for uuid in self._uuids)
        )


def gpu_probe(device: torch.device) -> tuple[GpuProbe | None, str]:
    """The cheapest probe that answers for the GPUs of this process.

    Returns:
        The probe, or None; and why there is none, empty where nobody would expect one (CPU, MPS, XPU).
    """
    if device.type != "cuda":
        return None, ""
    reasons: list[str] = []
    for make in (_nvml, _smi):
        try:
            probe = make(_uuids(device))
            probe.read()
        except Exception as error:  # noqa: BLE001 the library has a class a code; all mean: not this way
            reasons.append(f"{make.__name__.strip('_')}: {type(error).__name__}")
        else:
            return probe, ""
    return None, f"the GPU's use cannot be read ({', '.join(reasons)})"


def _uuids(device: torch.device) -> tuple[str, ...]:
    """As the driver names them: torch counts only what CUDA_VISIBLE_DEVICES leaves, the driver counts all."""
    first = device.index or 0
    order = [first, *(i for i in range(torch.cuda.device_count()) if i != first)]
    return tuple(f"GPU-{torch.cuda.get_device_properties(i).uuid}" for i in order)


def _nvml(uuids: tuple[str, ...]) -> GpuProbe:
    import pynvml

    return NvmlProbe(uuids, pynvml)


def _smi(uuids: tuple[str, ...]) -> GpuProbe:
    program = shutil.which("nvidia-smi")
    if program is None:
        raise FileNotFoundError("nvidia-smi")
    return SmiProbe(uuids, program)
