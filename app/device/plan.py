"""How a device is best used: number format, memory layout, threads, each with its reason.

Sources: NVIDIA's table of compute capabilities (bf16 in hardware from 8.0, fp16 tensor cores from 7.0);
PyTorch's notes on AMP and on channels_last.
"""

import shutil
from dataclasses import dataclass, field
from typing import Any

import torch

from app.device.choice import DeviceChoice, Probe, TorchProbe
from app.device.cores import usable_cores
from app.device.freed_memory import keep_freed_memory
from app.device.shared_bytes import CAN_SHARE
from app.errors import SettingsError

SET_BY_USER = "set by the user"
FULL_WIDTH_GAIN = 1.3
"""So much faster float32 convolutions must be on a CPU to make up for twice the memory traffic of all else."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, kw_only=True, slots=True)
class DevicePlan:
    """Everything about a device that training and inference ask for."""

    device: torch.device
    name: str
    dtype: torch.dtype
    grad_scaler: bool
    """Whether gradients are scaled: fp16 only."""
    memory_format: torch.memory_format
    threads: int
    """Threads of one operation on the CPU."""
    workers: int
    """Threads that prepare tiles, or processes."""
    worker_processes: bool
    pin_memory: bool
    tf32: bool
    compile: bool
    memory_bytes: int | None = None
    """Of the device; None for the CPU, which has the host's."""
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def autocast(self) -> bool:
        """Whether the network runs under autocast."""
        return self.dtype is not torch.float32

    def as_dict(self) -> dict[str, Any]:
        """For run.json and tables."""
        plain = {
            "device": str(self.device),
            "name": self.name,
            "dtype": str(self.dtype).removeprefix("torch."),
        }
        plain |= {"memory_format": str(self.memory_format).removeprefix("torch.")}
        plain |= {
            k: getattr(self, k)
            for k in (
                "grad_scaler",
                "threads",
                "workers",
                "worker_processes",
                "pin_memory",
                "tf32",
                "compile",
            )
        }
        return {**plain, "reasons": dict(self.reasons)}

    def apply(self) -> None:
        """Set torch's process-wide switches accordingly; the only place that does."""
        torch.set_num_threads(self.threads)
        keep_freed_memory()
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = self.tf32
            torch.backends.cudnn.allow_tf32 = self.tf32


def plan_device(choice: DeviceChoice, *, probe: Probe | None = None, **overrides: Any) -> DevicePlan:
    """Plan for a chosen device.

    Args:
        overrides: any of dtype ("float32", "bfloat16", "float16"), threads, workers, compile, channels_last,
            tf32; None means no override.

    Raises:
        SettingsError: an override has an unknown name or value.
    """
    probe = probe or TorchProbe()
    given = {k: v for k, v in overrides.items() if v is not None}
    unknown = set(given) - {"dtype", "threads", "workers", "compile", "channels_last", "tf32"}
    if unknown:
        raise SettingsError(
            f"device setting {', '.join(sorted(unknown))} is unknown; "
            "allowed are dtype, threads, workers, compile, channels_last, tf32"
        )
    kind = choice.device.type
    cores = usable_cores()
    reasons: dict[str, str] = {}

    def decide(name: str, value: Any, reason: str) -> Any:
        if name in given:
            reasons[name] = SET_BY_USER
            return given[name]
        reasons[name] = reason
        return value

    dtype_name, dtype_reason = _best_dtype(choice, probe)
    dtype_name = decide("dtype", dtype_name, dtype_reason)
    if dtype_name not in DTYPES:
        raise SettingsError(f"dtype={dtype_name!r} is unknown; allowed are {', '.join(DTYPES)}")
    dtype = DTYPES[dtype_name]
    channels_last = decide(
        "channels_last",
        kind != "mps",
        "not tried on MPS" if kind == "mps" else "the layout of the fastest convolutions",
    )
    reasons["worker_processes"] = (
        "a thread is enough for a CPU"
        if kind == "cpu"
        else "threads would share one lock"
        if CAN_SHARE
        else "this system cannot share memory without a name"
    )
    scaler = dtype is torch.float16 and kind != "cpu"
    reasons["grad_scaler"] = "fp16 gradients underflow without it" if scaler else "not needed in this format"
    ampere = kind == "cuda" and probe.compute_capability(choice.device.index or 0) >= (8, 0)
    return DevicePlan(
        device=choice.device,
        name=choice.name,
        dtype=dtype,
        grad_scaler=scaler,
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
        threads=decide("threads", cores, f"{cores} usable cores"),
        workers=decide(
            "workers",
            1 if kind == "cpu" else max(1, min(cores - 1, 8)),
            "the cores compute; one thread prepares" if kind == "cpu" else "one core stays for the loop",
        ),
        worker_processes=kind != "cpu" and CAN_SHARE,
        pin_memory=kind == "cuda",
        tf32=decide(
            "tf32", ampere, "float32 parts at tensor-core speed" if ampere else "needs NVIDIA Ampere or later"
        ),
        compile=decide("compile", *_compile(kind)),
        memory_bytes=probe.memory_bytes(kind, choice.device.index or 0),
        reasons=reasons,
    )


def _best_dtype(choice: DeviceChoice, probe: Probe) -> tuple[str, str]:
    kind = choice.device.type
    if kind == "cuda":
        capability = probe.compute_capability(choice.device.index or 0)
        text = ".".join(map(str, capability))
        if capability >= (8, 0):
            return (
                "bfloat16",
                f"compute capability {text} has it in hardware, and it needs no gradient scaling",
            )
        if capability >= (7, 0):
            return "float16", f"compute capability {text} has fp16 tensor cores but no bf16"
        return "float32", f"compute capability {text} gains nothing from 16 bits"
    if kind == "xpu":
        return "bfloat16", "Intel's XMX units compute it"
    if kind == "mps":
        return "float32", "the safe choice: 16 bits have not been tried on MPS"
    capabilities = probe.cpu_capabilities()
    if "amx_bf16" in capabilities:
        return "bfloat16", "the CPU has amx_bf16"
    if "avx512_bf16" not in capabilities:
        return "float32", "the CPU has neither AMX nor AVX512-BF16"
    full, half = (probe.convolution_flop_s(t) / 1e9 for t in (torch.float32, torch.bfloat16))
    measured = f"the CPU has avx512_bf16, measured at {half:.0f} GFLOP/s against {full:.0f} in float32"
    return ("float32" if full > FULL_WIDTH_GAIN * half else "bfloat16"), measured


def _compile(kind: str) -> tuple[bool, str]:
    if kind == "cuda":
        if shutil.which("cc") or shutil.which("gcc"):
            return (
                False,
                "off unless asked for with --compile: its gain for so small a network is not measured",
            )
        return False, "no C compiler, which torch.compile needs"
    return False, "off unless asked for: what it gains outside CUDA is not measured"
