"""Rights that were given a moment ago: Azure takes minutes to know them everywhere.

Source: Azure RBAC troubleshooting (an assignment takes up to 10 minutes), storage network security (a rule about one);
2026-11.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 600.0
"""What whoever was given a right just now may have to wait."""
PAUSE_S = 10.0


class Patience:
    """Asks again while a refusal may be of yesterday; counted from the first call, for all calls together."""

    def __init__(
        self,
        patience_s: float,
        *,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience_s` 0 for rights that are long there: the first refusal holds."""
        self._patience_s, self._pause, self._clock = patience_s, pause, clock
        self._until: float | None = None

    def ask(self, call: Callable[[], T], is_refusal: Callable[[Exception], bool]) -> T:
        """What the call gives; a refusal only once the patience is at its end, any other error at once."""
        if self._until is None:
            self._until = self._clock() + self._patience_s
        while True:
            try:
                return call()
            except Exception as error:
                if not is_refusal(error) or self._clock() >= self._until:
                    raise
            self._pause(PAUSE_S)
