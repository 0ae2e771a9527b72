"""The meter: means between two log lines, off after a failure, silent without a probe."""

import threading
import time
from collections.abc import Iterator

import pytest

from app.device.gpu_use import GpuUse
from app.telemetry.gpu_meter import STALE_S, GpuMeter


class Readings:
    """A probe that gives what it was told, one look after the other; an exception is raised."""

    def __init__(self, *looks: tuple[float, ...] | Exception) -> None:
        self._looks: Iterator[tuple[float, ...] | Exception] = iter(looks)

    def read(self) -> tuple[GpuUse, ...]:
        look = next(self._looks)
        if isinstance(look, Exception):
            raise look
        return tuple(GpuUse(percent=p, memory_percent=50.0) for p in look)


def test_means_are_of_the_time_since_the_last_line() -> None:
    meter = GpuMeter(Readings((90.0,), (80.0,), (10.0,)), note=pytest.fail)
    meter.look()
    meter.look()
    assert meter.take() == {"gpu_percent": 85.0, "gpu_memory_percent": 50.0}
    meter.look()
    assert meter.take()["gpu_percent"] == 10.0
    assert meter.take() == {}


def test_each_of_several_gpus_is_told_and_the_first_is_the_figure() -> None:
    meter = GpuMeter(Readings((90.0, 0.0), (70.0, 10.0)), note=pytest.fail)
    meter.look()
    meter.look()
    assert meter.take() == {"gpu_percent": 80.0, "gpu_memory_percent": 50.0, "gpu_percent_each": [80.0, 5.0]}


def test_a_probe_that_fails_is_off_with_one_note() -> None:
    notes: list[str] = []
    meter = GpuMeter(Readings((90.0,), RuntimeError("driver"), (50.0,)), note=notes.append)
    for _ in range(3):
        meter.look()
    assert notes == ["the GPU's use is not measured any more (RuntimeError); training goes on"]
    assert meter.newest() is None
    assert meter.take()["gpu_percent"] == 90.0


def test_an_old_figure_says_nothing() -> None:
    now = 0.0
    meter = GpuMeter(Readings((0.0,)), note=pytest.fail, clock=lambda: now)
    assert meter.newest() is None
    meter.look()
    assert meter.newest() == 0.0
    now = STALE_S + 1
    assert meter.newest() is None


def test_no_probe_is_no_thread() -> None:
    before = threading.active_count()
    with GpuMeter(None, note=pytest.fail) as meter:
        assert threading.active_count() == before
        assert meter.take() == {}


def test_the_thread_looks_by_itself_and_ends() -> None:
    before = threading.active_count()
    with GpuMeter(Readings((40.0,), *[(40.0,)] * 9), note=pytest.fail) as meter:
        deadline = time.monotonic() + 5
        while meter.newest() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    assert meter.take()["gpu_percent"] == 40.0
    assert threading.active_count() == before
