"""Two or more programs in turns, so that all of them meet the same moods of a machine.

A worker is a process of its own, perhaps of another environment: this module needs the standard library alone.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Step = Callable[[], float]
"""Does one piece of work and answers its amount, such as images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one turn of a worker came to."""

    amount: float
    seconds: float
    cpu_s: float
    """Of the worker's own process, all threads together."""

    @property
    def rate(self) -> float:
        """Amount a second."""
        return self.amount / self.seconds


def serve(steps: Mapping[str, Step], facts: Mapping[str, object]) -> None:
    """Be a worker: tell `facts`, then do named steps as told on standard input until it closes.

    Standard output belongs to the answers; whatever else a library prints goes to standard error.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps(dict(facts)), file=answers, flush=True)
    for line in sys.stdin:
        name, count = line.split()
        started, cpu = time.perf_counter(), time.process_time()
        amount = sum(steps[name]() for _ in range(int(count)))
        turn = {"amount": amount, "seconds": time.perf_counter() - started}
        print(json.dumps({**turn, "cpu_s": time.process_time() - cpu}), file=answers, flush=True)


class Worker:
    """A process that serves; closing its input ends it."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.facts: dict[str, Any] = self._answer()

    def turn(self, name: str, count: int) -> Turn:
        """Have it do `count` steps of this name."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {count}\n")
        self._process.stdin.flush()
        return Turn(**self._answer())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        while line and not line.startswith("{"):  # what a library says while it is loaded
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{self._process.args!r} ended with {self._process.wait()}; see its errors above"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer
