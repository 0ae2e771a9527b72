"""The largest batch that a device's memory holds, found by training steps on made-up tiles."""

import gc

import numpy as np

from app.dataset.tile_batches import Batch
from app.device.batch_size import MicroBatch, find_batch_size
from app.device.host_memory import host_limit_bytes
from app.device.memory import peak_memory
from app.device.plan import DevicePlan
from app.training.recipe import TrainConfig
from app.training.session import Session


def measured_batch_size(config: TrainConfig, plan: DevicePlan, *, memory_limit: float) -> tuple[int, str]:
    """Largest power of two that stays under part of the memory, and why it is that.

    Args:
        memory_limit: part of the device's memory (the host's on a CPU) that a step may take.

    Raises:
        DeviceError: not one sample fits.
    """
    total = plan.memory_bytes if plan.memory_bytes is not None else host_limit_bytes()
    session = Session(config, ("probe",), plan, total_steps=1000)

    def try_batch(size: int) -> int:
        session.micro = MicroBatch(effective=size, micro=size)
        gc.collect()
        with peak_memory(plan.device) as peak:
            session.step(_made_up(size, config.size_px))
        if session.micro.micro < size:  # memory ran out, and the step went on in parts
            raise MemoryError(f"a batch of {size} was halved")
        return peak.bytes

    return find_batch_size(try_batch, limit_bytes=int(total * memory_limit))


def _made_up(count: int, size_px: int) -> Batch:
    rng = np.random.default_rng(0)
    box = np.array([[size_px * 0.3, size_px * 0.3, size_px * 0.5, size_px * 0.5]], dtype=np.float32)
    return Batch(
        images_B1HW=rng.integers(0, 256, (count, 1, size_px, size_px), dtype=np.uint8),
        boxes=[box] * count,
        labels=[np.zeros(1, dtype=np.int64)] * count,
    )
