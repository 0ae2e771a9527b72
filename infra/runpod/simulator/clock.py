"""Simulated time: begins at the real one and may run faster. All times are seconds since 1970."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Anchor = tuple[float, float, float]
"""From this real time on: the simulated time then, and simulated seconds per real second."""


class Clock:
    """Goes on from its anchors, also over a restart of the simulator: what bills goes on billing.

    Args:
        speed: simulated seconds per real second, above 0.
        anchors: of an earlier run; `speed` then counts from now on.
        real: the real time.
    """

    def __init__(
        self, speed: float = 1.0, anchors: list[Anchor] | None = None, real: Callable[[], float] = time.time
    ) -> None:
        self._real = real
        first = real()
        self.anchors: list[Anchor] = [*anchors] if anchors else [(first, first, 1.0)]
        self.run(speed)

    def now(self) -> float:
        """Simulated."""
        return self.at(self._real())

    def at(self, real_s: float) -> float:
        """The simulated time of a real one."""
        anchor = next((one for one in reversed(self.anchors) if one[0] <= real_s), self.anchors[0])
        return anchor[1] + (real_s - anchor[0]) * anchor[2]

    @property
    def speed(self) -> float:
        """Simulated seconds per real second, now."""
        return self.anchors[-1][2]

    def run(self, speed: float) -> None:
        """Run so fast from now on.

        Raises:
            ValueError: not above 0.
        """
        if not speed > 0:
            raise ValueError(f"speed={speed:g} must be above 0; 1 is real time")
        if speed != self.speed:
            real = self._real()
            self.anchors.append((real, self.at(real), speed))

    def advance(self, seconds: float) -> None:
        """Jump ahead.

        Raises:
            ValueError: back in time.
        """
        if seconds < 0:
            raise ValueError(f"advance_s={seconds:g} must not be negative; time does not go back")
        real = self._real()
        self.anchors.append((real, self.at(real) + seconds, self.speed))


def rfc3339(at_s: float) -> str:
    """With milliseconds, in UTC."""
    text = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """From RFC 3339; without a zone it is UTC.

    Raises:
        ValueError: it is no such time.
    """
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
