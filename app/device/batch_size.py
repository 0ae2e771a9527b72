"""How many samples fit: found by measuring before a run, halved when memory runs out during one."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from app.errors import DeviceError


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroBatch:
    """How a batch of `effective` samples reaches the device: `micro` at once, gradients accumulated."""

    effective: int
    micro: int

    @property
    def parts(self) -> int:
        """Passes per optimiser step."""
        return -(-self.effective // self.micro)

    def halved(self) -> "MicroBatch":
        """Half as much at once, the same batch for the optimiser."""
        return MicroBatch(effective=self.effective, micro=max(1, self.micro // 2))


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any kind of device.

    CUDA and XPU raise `torch.OutOfMemoryError`; MPS and the CPU's allocator a RuntimeError that says so.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    told = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(t in text for t in told)


def find_batch_size(
    try_batch: Callable[[int], int], *, limit_bytes: int, largest: int = 256
) -> tuple[int, str]:
    """Largest power of two whose peak memory stays under a limit.

    Args:
        try_batch: runs one training step of so many samples and answers its peak memory in bytes; may run
            out of memory.
        limit_bytes: what may be used.

    Returns:
        The size and the reason in words.

    Raises:
        DeviceError: not even one sample fits.
    """
    best, best_bytes, size = 0, 0, 1
    while size <= largest:
        try:
            used = try_batch(size)
        except Exception as error:
            if not out_of_memory(error):
                raise
            why = f"{size} ran out of memory"
            break
        if used > limit_bytes:
            why = f"{size} needs {used / 2**20:,.0f} MiB"
            break
        best, best_bytes = size, used
        size *= 2
    else:
        why = f"{largest} is the largest asked for"
    if best == 0:
        raise DeviceError(
            f"a batch of 1 does not fit under {limit_bytes / 2**20:,.0f} MiB ({why}); "
            "use smaller tiles (--size-px) or raise the memory limit"
        )
    return best, f"{best} needs {best_bytes / 2**20:,.0f} of {limit_bytes / 2**20:,.0f} MiB; {why}"
