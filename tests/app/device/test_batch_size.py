"""Batch sizes found by measuring, and what happens when memory runs out."""

import subprocess
import sys

import pytest
import torch

from app.device.batch_size import MicroBatch, find_batch_size, out_of_memory
from app.device.memory import MemoryMonitor
from app.errors import DeviceError

MIB = 2**20


def test_largest_power_of_two_under_the_limit() -> None:
    size, reason = find_batch_size(lambda n: (100 + 30 * n) * MIB, limit_bytes=600 * MIB)
    assert size == 16
    assert "32 needs 1,060 MiB" in reason


def test_out_of_memory_ends_the_search() -> None:
    def try_batch(size: int) -> int:
        if size > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return size * MIB

    assert find_batch_size(try_batch, limit_bytes=2**40)[0] == 8


def test_largest_asked_for_is_kept() -> None:
    assert find_batch_size(lambda n: n, limit_bytes=2**40, largest=64)[0] == 64


def test_nothing_fits() -> None:
    with pytest.raises(DeviceError, match=r"a batch of 1 does not fit under 10 MiB .*--size-px"):
        find_batch_size(lambda n: 20 * MIB, limit_bytes=10 * MIB)


def test_other_errors_pass() -> None:
    def broken(size: int) -> int:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        find_batch_size(broken, limit_bytes=1)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_every_device_says_it_its_own_way(error: Exception, is_memory: bool) -> None:
    assert out_of_memory(error) is is_memory


def test_half_as_much_at_once_is_the_same_batch() -> None:
    micro = MicroBatch(effective=16, micro=16)
    assert micro.parts == 1
    halved = micro.halved().halved()
    assert (halved.micro, halved.parts, halved.effective) == (4, 4, 16)
    assert MicroBatch(effective=16, micro=1).halved().micro == 1


PEAK = """
import torch
from app.device.memory import peak_memory
with peak_memory(torch.device("cpu")) as before:
    pass
with peak_memory(torch.device("cpu")) as peak:
    big = torch.ones(64 * 2**20)
    big += 1
    del big
print(peak.bytes - before.bytes)
"""


def test_peak_sees_an_array_that_is_gone_again() -> None:
    """In a process of its own: this one may hold what other tests have freed."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200 * MIB


def test_monitor_reads_this_process() -> None:
    reading = MemoryMonitor(torch.device("cpu")).read()
    assert reading.host_used_mib > 10
    assert set(reading.as_dict()) == {"host_used_mib", "host_limit_mib"}
