"""When a run must end although the work is not done: hours, dollars, an interruption."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import current_thread, main_thread
from types import FrameType

from app.exit_codes import ExitCode

ECHO_S = 1.0
"""A second Ctrl-C sooner than this is the first one, handed on by torchrun's agent too."""
RESERVE_FACTOR = 1.5
"""The next checkpoint or evaluation may be slower than the last."""
RESERVE_MIN_S, RESERVE_MAX_S = 10.0, 600.0
"""The least stands for what has not been measured yet; the most keeps one slow mirror from costing a night."""
RESERVE_SHARE = 0.25
"""Of a limit that is short itself, no more than this is kept back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Ceilings of one run; None means no ceiling."""

    max_hours: float | None = None
    """On this machine, from the start of the program; of several processes, from the first start of any."""
    hours_before: float = 0.0
    """Of `max_hours`, what processes used up that a restart has replaced."""
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

    @property
    def any(self) -> bool:
        """Whether there is a ceiling at all."""
        return self.max_hours is not None or self.max_usd is not None

    def counting(self, spent_usd: float) -> "Limits":
        """With the dollars that the run itself remembers, where those are more than what was told."""
        return replace(self, spent_usd=max(self.spent_usd, spent_usd))

    def reserve_s(self, measured_s: float) -> float:
        """Seconds to leave early, so that an evaluation that has begun, checkpoint and manifest still fit.

        Args:
            measured_s: what they took last time; 0 before the first.
        """
        ceilings_s = [3600 * self.max_hours] if self.max_hours is not None else []
        if self.max_usd is not None:
            ceilings_s.append(3600 * self.max_usd / self.price_usd_per_h)
        wanted_s = min(RESERVE_MAX_S, max(RESERVE_MIN_S, RESERVE_FACTOR * measured_s))
        return min(wanted_s, *(RESERVE_SHARE * s for s in ceilings_s)) if ceilings_s else 0.0

    def reason(self, code: ExitCode) -> str:
        """Which ceiling that is, in words."""
        if code is ExitCode.BUDGET:
            return f"the limit of {self.max_usd} dollars is reached"
        return f"the limit of {self.max_hours} hours is reached"

    def reached(self, seconds_here: float, *, reserve_s: float = 0.0) -> ExitCode | None:
        """Which limit is passed within `reserve_s` from now, dollars first; None while there is room."""
        ahead = seconds_here + reserve_s
        if self.max_usd is not None and self.spent(ahead) >= self.max_usd:
            return ExitCode.BUDGET
        if self.max_hours is not None and ahead >= (self.max_hours - self.hours_before) * 3600:
            return ExitCode.DEADLINE
        return None


class Interruption:
    """Whether the training was asked to stop, and why; falsy until then."""

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self.signal_s = 0.0
        """When, by the monotonic clock."""
        self.asked: tuple[ExitCode, str] | None = None
        self.wants_checkpoint = False
        """Asked for by a warning that may come to nothing; whoever writes it takes this back."""

    def __bool__(self) -> bool:
        return self.asked is not None

    def request(self, name: str) -> None:
        """Ask for a stop at the next step (a provider's notice, or a signal)."""
        self.signal_name, self.signal_s = name, time.monotonic()
        self.end(ExitCode.INTERRUPTED, f"{name} asked for a stop")

    def end(self, code: ExitCode, reason: str) -> None:
        """Ask for an end at the next step; whoever asks first gives the reason."""
        if self.asked is None:
            self.asked = (code, reason)


@contextmanager
def catch_interruption() -> Iterator[Interruption]:
    """Turn SIGTERM and the first Ctrl-C into a request to stop; a second Ctrl-C stops at once.

    Outside the main thread Python cannot set handlers; then only `request` asks for a stop.
    """
    interruption = Interruption()

    def handle(number: int, _frame: FrameType | None) -> None:
        again = interruption.signal_name is not None and number == signal.SIGINT
        if again and time.monotonic() - interruption.signal_s >= ECHO_S:
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
