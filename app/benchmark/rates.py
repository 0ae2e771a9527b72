"""What a device reaches in its plain operations: matrix products, convolutions, memory, transfer."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.device.plan import DevicePlan
from app.device.synchronise import synchronise

TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Best of several repetitions: what the hardware can, not what a busy machine did."""

    matmul_tflops: float
    matmul_float32_tflops: float
    convolution_tflops: float
    """3x3, 64 to 64 channels, in the plan's format and layout."""
    memory_gb_per_s: float
    """Reading and writing a large array."""
    transfer_gb_per_s: float | None
    """Host to device; None on a CPU."""


def measure_rates(plan: DevicePlan, *, budget_s: float) -> Rates:
    """Measure within about `budget_s` seconds."""
    share = budget_s / 5
    side = 1024 if plan.device.type == "cpu" else 4096
    return Rates(
        matmul_tflops=_matmul(plan, plan.dtype, side, share),
        matmul_float32_tflops=_matmul(plan, torch.float32, side, share),
        convolution_tflops=_convolution(plan, share),
        memory_gb_per_s=_memory(plan, share),
        transfer_gb_per_s=None if plan.device.type == "cpu" else _transfer(plan, share),
    )


def best_seconds(work: Callable[[], object], device: torch.device, budget_s: float) -> float:
    """Shortest of the repetitions that fit into the budget, at least three, after one that is not counted."""
    work()
    synchronise(device)
    best, started, count = float("inf"), time.perf_counter(), 0
    while count < 3 or time.perf_counter() - started < budget_s:
        begin = time.perf_counter()
        work()
        synchronise(device)
        best = min(best, time.perf_counter() - begin)
        count += 1
    return best


def _matmul(plan: DevicePlan, dtype: torch.dtype, side: int, budget_s: float) -> float:
    a = torch.randn(side, side, device=plan.device).to(dtype)
    return 2 * side**3 / best_seconds(lambda: a @ a, plan.device, budget_s) / TERA


def _convolution(plan: DevicePlan, budget_s: float) -> float:
    batch, channels, side = (8, 64, 64) if plan.device.type == "cpu" else (64, 64, 128)
    x: Tensor = torch.randn(batch, channels, side, side, device=plan.device, dtype=plan.dtype)
    x = x.contiguous(memory_format=plan.memory_format)
    weight = torch.randn(channels, channels, 3, 3, device=plan.device, dtype=plan.dtype)
    weight = weight.contiguous(memory_format=plan.memory_format)
    work = 2 * 9 * channels * channels * side * side * batch
    with torch.inference_mode():
        seconds = best_seconds(lambda: functional.conv2d(x, weight, padding=1), plan.device, budget_s)
    return work / seconds / TERA


def _memory(plan: DevicePlan, budget_s: float) -> float:
    count = 2**24 if plan.device.type == "cpu" else 2**27
    x = torch.zeros(count, device=plan.device)
    y = torch.empty_like(x)
    return 2 * 4 * count / best_seconds(lambda: y.copy_(x), plan.device, budget_s) / GIGA


def _transfer(plan: DevicePlan, budget_s: float) -> float:
    x = torch.zeros(2**24)
    if plan.pin_memory:
        x = x.pin_memory()
    return 4 * x.numel() / best_seconds(lambda: x.to(plan.device), plan.device, budget_s) / GIGA
