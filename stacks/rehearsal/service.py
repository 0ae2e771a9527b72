"""Tells what the simulated service was asked and did, while it does; and counts it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infra.runpod.simulator.run import Simulator
from infra.runpod.simulator.simulation import Seen

LOOK_S = 0.2


class Told:
    """All requests so far."""

    def __init__(self, simulator: Simulator, say: Callable[[str], None]) -> None:
        self._simulator, self._say = simulator, say
        self._last: Seen | None = None
        self._lock = threading.Lock()
        self.seen: list[Seen] = []

    def look(self) -> None:
        """Tell what came since; those that only look are counted, not told."""
        with self._lock:
            fresh: list[Seen] = []
            for one in reversed(self._simulator.requests()):
                if one is self._last:
                    break
                fresh.append(one)
            fresh.reverse()
            self._last = fresh[-1] if fresh else self._last
            self.seen += fresh
        for one in fresh:
            if one.method != "GET" or one.status in (0, 403, 429) or one.status >= 500:
                answer = f"answered {one.status}" if one.status else "did it and lost the answer"
                self._say(f"SIMULATED Runpod: {one.method} {one.path} by {one.by}, {answer}")

    def counted(self, method: str, path: str, *, by: str = "", status: int = 0) -> int:
        """Requests whose path is, or begins with what ends in a slash."""
        self.look()
        return sum(
            one.method == method
            and (one.path.startswith(path) if path.endswith("/") else one.path == path)
            and one.by.startswith(by)
            and status in (0, one.status)
            for one in self.seen
        )

    def by_method(self) -> dict[str, int]:
        """How many of each."""
        self.look()
        return dict(sorted(Counter(one.method for one in self.seen).items()))


@contextmanager
def telling(simulator: Simulator, say: Callable[[str], None]) -> Iterator[Told]:
    """Tell as it happens, until left."""
    told, over = Told(simulator, say), threading.Event()

    def go_on() -> None:
        while not over.wait(LOOK_S):
            told.look()

    thread = threading.Thread(target=go_on, name="what the service did", daemon=True)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join()
        told.look()
