"""Which device does the work, and why: CUDA, then Apple MPS, then Intel XPU, then the CPU."""

from dataclasses import dataclass
from typing import Protocol

import torch

from app.device.convolution_rate import convolution_flop_s
from app.errors import DeviceError

ORDER = ("cuda", "mps", "xpu", "cpu")
"""Preference of `auto`."""


class Probe(Protocol):
    """The one seam to torch's knowledge of the machine; tests give their own."""

    def available(self, kind: str) -> bool:
        """Whether torch can compute on this kind of device."""
        ...

    def name(self, kind: str, index: int) -> str:
        """The device's name, such as `NVIDIA H200`."""
        ...

    def count(self, kind: str) -> int:
        """How many there are of this kind."""
        ...

    def compute_capability(self, index: int) -> tuple[int, int]:
        """CUDA compute capability, such as (8, 0)."""
        ...

    def cpu_capabilities(self) -> frozenset[str]:
        """Instruction sets of the CPU, as `torch.cpu.get_capabilities` names them."""
        ...

    def convolution_flop_s(self, dtype: torch.dtype) -> float:
        """Operations a second of one CPU thread in a convolution in this format; see `convolution_rate`."""
        ...

    def memory_bytes(self, kind: str, index: int) -> int | None:
        """Memory of the device; None where torch does not say."""
        ...


class TorchProbe:
    """Asks torch, each time anew: nothing is detected at import."""

    def available(self, kind: str) -> bool:
        """See `Probe.available`."""
        if kind == "cpu":
            return True
        if kind == "mps":
            return torch.backends.mps.is_available()
        return bool(getattr(torch, kind).is_available())

    def name(self, kind: str, index: int) -> str:
        """See `Probe.name`."""
        if kind == "cpu":
            return str(torch.cpu.get_capabilities().get("cpu_name") or "CPU")
        if kind == "mps":
            return "Apple GPU"
        return str(getattr(torch, kind).get_device_name(index))

    def count(self, kind: str) -> int:
        """See `Probe.count`."""
        if kind in ("cpu", "mps"):
            return int(self.available(kind))
        return int(getattr(torch, kind).device_count()) if self.available(kind) else 0

    def compute_capability(self, index: int) -> tuple[int, int]:
        """See `Probe.compute_capability`."""
        return torch.cuda.get_device_capability(index)

    def cpu_capabilities(self) -> frozenset[str]:
        """See `Probe.cpu_capabilities`."""
        return frozenset(k for k, v in torch.cpu.get_capabilities().items() if v is True)

    def convolution_flop_s(self, dtype: torch.dtype) -> float:
        """See `Probe.convolution_flop_s`."""
        return convolution_flop_s(dtype)

    def memory_bytes(self, kind: str, index: int) -> int | None:
        """See `Probe.memory_bytes`."""
        if kind == "cuda":
            return int(torch.cuda.get_device_properties(index).total_memory)
        if kind == "xpu":
            return int(torch.xpu.get_device_properties(index).total_memory)
        if kind == "mps":
            return int(torch.mps.recommended_max_memory())
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceChoice:
    """The device that was chosen."""

    device: torch.device
    name: str
    reason: str
    """Why this one, in words for a person."""
    warnings: tuple[str, ...] = ()


def choose_device(
    request: str = "auto",
    *,
    fallback: str | None = None,
    probe: Probe | None = None,
    may_step_down: bool = True,
) -> DeviceChoice:
    """Choose a device.

    Args:
        request: `auto`, or a kind with an optional index, such as `cuda:1`.
        fallback: `cpu` allows the step down to the CPU where `request` is missing, with a warning.
        probe: of this machine if None.
        may_step_down: whether the caller's verb has --fallback at all: else nobody is sent there.

    Raises:
        DeviceError: the named device is not there, with the list of those that are.
    """
    probe = probe or TorchProbe()
    kind, index = _parse(request)
    if kind == "auto":
        return _best(probe)
    if probe.available(kind) and index < probe.count(kind):
        return _chosen(kind, index, f"{request} was asked for", probe)
    present = _present(probe)
    if fallback is not None:
        chosen = _chosen(
            "cpu", 0, f"{request} is missing and --fallback {fallback} allows the step down", probe
        )
        warning = (
            f"{request} is not here ({', '.join(present)} are): going on with the CPU, many times slower"
        )
        return DeviceChoice(
            device=chosen.device, name=chosen.name, reason=chosen.reason, warnings=(*chosen.warnings, warning)
        )
    step_down = ", or allow the step down with --fallback cpu" if may_step_down else ""
    raise DeviceError(
        f"device {request} is not here; this machine has {', '.join(present)}; "
        f"give one of them, or auto{step_down}"
    )


def present_devices(probe: Probe | None = None) -> list[str]:
    """Names of all devices here, best first, the CPU last; such as `cuda:0`, `cuda:1`, `cpu`."""
    return _present(probe or TorchProbe())


def _parse(request: str) -> tuple[str, int]:
    kind, _, number = request.strip().lower().partition(":")
    if kind not in (*ORDER, "auto") or (number and not number.isdecimal()) or (kind == "auto" and number):
        raise DeviceError(
            f"device {request!r} is unknown; allowed are auto, {', '.join(ORDER)}, or such as cuda:1"
        )
    return kind, int(number or 0)


def _present(probe: Probe) -> list[str]:
    found: list[str] = []
    for kind in ORDER:
        count = probe.count(kind)
        found += [kind] if count == 1 else [f"{kind}:{i}" for i in range(count)]
    return found


def _best(probe: Probe) -> DeviceChoice:
    passed_over: list[str] = []
    for kind in ORDER:
        if probe.count(kind):
            missing = f" ({', '.join(passed_over)} not available)" if passed_over else ""
            return _chosen(kind, 0, f"the first available of {', '.join(ORDER)}{missing}", probe)
        passed_over.append(kind)
    raise DeviceError("torch offers no device at all, not even the CPU; install torch again")


def _chosen(kind: str, index: int, reason: str, probe: Probe) -> DeviceChoice:
    device = torch.device(kind, index) if kind in ("cuda", "xpu") else torch.device(kind)
    warnings = (
        ("Intel XPU support is experimental here: it has not met real hardware",) if kind == "xpu" else ()
    )
    return DeviceChoice(device=device, name=probe.name(kind, index), reason=reason, warnings=warnings)
