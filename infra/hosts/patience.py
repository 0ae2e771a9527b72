"""Goes on after a cut connection: waits a little longer each time, and gives up in the end."""

import time
from collections.abc import Callable
from typing import TypeVar

from infra.hosts.process import CancelledError
from infra.hosts.refusal import NoConnectionError

WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Half a minute in all: a router that starts again, a laptop that changes networks."""
LOOK_S = 0.2

T = TypeVar("T")


def patiently(action: Callable[[], T], *, cancelled: Callable[[], bool] = lambda: False) -> T:
    """Do what may safely be done again, until the connection holds.

    Raises:
        NoConnectionError: it did not, to the last.
        CancelledError: `cancelled` said so while waiting.
    """
    for wait_s in WAITS_S:
        try:
            return action()
        except NoConnectionError as error:
            _pause(wait_s, cancelled, error)
    return action()


def _pause(seconds: float, cancelled: Callable[[], bool], error: NoConnectionError) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if cancelled():
            raise CancelledError(f"cancelled while waiting for the connection: {error}") from error
        time.sleep(LOOK_S)
