"""When a run must end although the work is not done: hours, dollars, an interruption."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread
from types import FrameType

from app.exit_codes import ExitCode


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Ceilings of one run; None means no ceiling."""

    max_hours: float | None = None
    """On this machine, from the start of the program."""
    max_usd: float | None = None
    """For the run, machines before this one included."""
    spent_usd: float = 0.0
    """Dollars that earlier machines cost this run."""
    price_usd_per_h: float = 0.0
    """What this machine costs."""

    def __post_init__(self) -> None:
        for name in ("max_hours", "max_usd"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} must be above 0, or left out for no limit")
        if self.max_usd is not None and self.price_usd_per_h <= 0:
            raise ValueError(f"max_usd={self.max_usd} needs price_usd_per_h above 0; give it too")

    def spent(self, seconds_here: float) -> float:
        """Dollars of the whole run after so many seconds on this machine."""
        return self.spent_usd + self.price_usd_per_h * seconds_here / 3600

    def reached(self, seconds_here: float, *, reserve_s: float = 0.0) -> ExitCode | None:
        """Which limit is passed within `reserve_s` from now, dollars first; None while there is room."""
        ahead = seconds_here + reserve_s
        if self.max_usd is not None and self.spent(ahead) >= self.max_usd:
            return ExitCode.BUDGET
        if self.max_hours is not None and ahead >= self.max_hours * 3600:
            return ExitCode.DEADLINE
        return None


class Interruption:
    """Whether the process was asked to stop; falsy until then."""

    def __init__(self) -> None:
        self.signal_name: str | None = None

    def __bool__(self) -> bool:
        return self.signal_name is not None

    def request(self, name: str) -> None:
        """Ask for a stop at the next step (a provider's notice, or a signal)."""
        self.signal_name = name


@contextmanager
def catch_interruption() -> Iterator[Interruption]:
    """Turn SIGTERM and the first Ctrl-C into a request to stop; a second Ctrl-C stops at once.

    Outside the main thread Python cannot set handlers; then only `request` asks for a stop.
    """
    interruption = Interruption()

    def handle(number: int, _frame: FrameType | None) -> None:
        if interruption and number == signal.SIGINT:
            raise KeyboardInterrupt
        interruption.request(signal.Signals(number).name)

    if current_thread() is not main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
