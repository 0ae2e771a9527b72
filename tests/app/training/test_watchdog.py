"""The watchdog by a told clock: asks first, waits for signs of life, ends the process last."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.device.gpu_use import GpuUse
from app.exit_codes import ExitCode
from app.telemetry.gpu_meter import GpuMeter
from app.training.limits import Interruption, Limits
from app.training.watchdog import ENDING_GRACE_S, GRACE_S, Rest, Watchdog

IDLE_MINUTES = 30.0


class Clock:
    """Seconds that somebody else moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Gpu:
    """A probe with a percentage that can be set."""

    percent = 0.0

    def read(self) -> tuple[GpuUse, ...]:
        return (GpuUse(percent=self.percent, memory_percent=10.0),)


class Dog:
    """A watchdog, and all that it did."""

    def __init__(self, *, idle_minutes: float | None = IDLE_MINUTES, limits: Limits | None = None) -> None:
        self.clock, self.gpu, self.interruption = Clock(), Gpu(), Interruption()
        self.left: list[int] = []
        self.words: list[tuple[ExitCode, str]] = []
        self.meter = GpuMeter(self.gpu, note=pytest.fail, clock=self.clock)
        self.watchdog = Watchdog(
            self.interruption,
            limits or Limits(),
            meter=self.meter,
            idle_minutes=idle_minutes,
            started_s=0.0,
            last_words=lambda code, reason: self.words.append((code, reason)),
            clock=self.clock,
            leave=self.left.append,
        )

    def run(self, seconds: float, *, until: Callable[[], Any], works: bool = False) -> float:
        """Go on by seconds until something is true; when that was."""
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s and not until():
            self.clock.now_s += 1
            self.meter.look()
            if works:
                self.watchdog.alive()
            self.watchdog.tick()
        return self.clock.now_s


def test_an_idle_gpu_is_asked_to_end_although_the_loop_gets_on() -> None:
    dog = Dog()
    asked_s = dog.run(4000, until=lambda: dog.interruption.asked, works=True)
    assert asked_s == pytest.approx(1800, abs=2)
    assert dog.interruption.asked == (ExitCode.IDLE, "the GPU stayed at 2 % or less for 30 minutes")
    assert dog.left == []


def test_a_loop_that_answers_is_left_in_peace() -> None:
    dog = Dog()
    asked_s = dog.run(4000, until=lambda: dog.interruption.asked)
    dog.watchdog.ending()
    dog.run(ENDING_GRACE_S - 2, until=lambda: dog.left)
    assert dog.left == []
    assert dog.run(10, until=lambda: dog.left) == asked_s + ENDING_GRACE_S


def test_a_loop_that_hangs_is_ended_after_the_grace() -> None:
    dog = Dog()
    asked_s = dog.run(4000, until=lambda: dog.interruption.asked)
    assert dog.run(4000, until=lambda: dog.left) == asked_s + GRACE_S
    assert dog.left == [82]
    code, reason = dog.words[0]
    assert code is ExitCode.IDLE
    assert reason.endswith("the training hung and was ended from outside")


def test_a_gpu_that_spins_in_a_training_that_hangs_is_idle() -> None:
    dog = Dog()
    dog.gpu.percent = 100.0
    dog.run(4000, until=lambda: dog.left)
    assert dog.words[0][1].startswith("nothing got on for 30 minutes")


def test_a_long_evaluation_is_no_hang() -> None:
    dog = Dog()
    asked_s = dog.run(4000, until=lambda: dog.interruption.asked)
    dog.run(10 * GRACE_S, until=lambda: dog.left, works=True)
    assert dog.left == []
    assert dog.clock.now_s == asked_s + 10 * GRACE_S


def test_without_idle_minutes_only_the_limits_end_it() -> None:
    dog = Dog(idle_minutes=None, limits=Limits(max_hours=1.0))
    assert dog.run(5000, until=lambda: dog.interruption.asked) == 3600
    assert dog.interruption.asked == (ExitCode.DEADLINE, "the limit of 1.0 hours is reached")
    dog.run(5000, until=lambda: dog.left)
    assert dog.left == [80]


def test_whoever_asked_first_gives_the_reason() -> None:
    interruption = Interruption()
    interruption.request("SIGTERM")
    interruption.end(ExitCode.IDLE, "idle")
    assert interruption.asked == (ExitCode.INTERRUPTED, "SIGTERM asked for a stop")


def test_last_words_that_hang_do_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.training.watchdog.LAST_WORDS_S", 0.1)
    dog, over = Dog(), threading.Event()
    dog.watchdog._last_words = lambda code, reason: over.wait(10) and None
    dog.run(4000, until=lambda: dog.left)
    over.set()
    assert dog.left == [82]


def test_nothing_to_watch_is_no_thread() -> None:
    def watching() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "watchdog"]

    with Dog(idle_minutes=None).watchdog:
        assert watching() == []
    with Dog(idle_minutes=None, limits=Limits(max_hours=1.0)).watchdog:
        assert watching() == ["watchdog"]
    assert watching() == []


def test_a_loop_at_rest_can_be_claimed_and_never_works_again() -> None:
    rest, rested, woke = Rest(), threading.Event(), threading.Event()
    assert not rest.claim(0.01)

    def loop() -> None:
        with rest.rest():
            rested.set()
            time.sleep(0.1)
        woke.set()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    rested.wait(5)
    assert rest.claim(1.0)
    assert not woke.wait(0.3)
    rest._working.release()
    thread.join(5)
    assert woke.is_set()
