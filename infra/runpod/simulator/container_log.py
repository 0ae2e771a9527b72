"""A pod's log as the service streams it: Server-Sent Events that go on until somebody leaves."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.clock import rfc3339, seconds_of

LOOK_EVERY_S = 0.1
SAY_NOTHING_EVERY_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Where a stream begins: the last of `after_event`, `since_s`, `tail` that is given counts first."""

    tail: int = 100
    since_s: float | None = None
    after_event: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line; its number counts from 1 in the pod's log."""

    number: int
    at: str
    source: str
    line: str

    def data(self) -> bytes:
        """As it goes over the wire."""
        body = json.dumps({"ts": self.at, "source": self.source, "line": self.line})
        return f"id: {self.at}/{self.number:012d}\ndata: {body}\n\n".encode()


def follow(
    path: Path,
    start: Start,
    source: str | None,
    *,
    simulated: Callable[[float], float],
    goes_on: Callable[[], bool],
) -> Iterator[bytes]:
    """The stream; yields nothing now and then, so that the server can see whether anybody still listens."""
    reader = _Reader(path, simulated)
    for event in _backlog(reader.new(), start, source):
        yield event.data()
    said = time.monotonic()
    while goes_on():
        for event in reader.new():
            if source in (None, event.source):
                said = time.monotonic()
                yield event.data()
        if time.monotonic() > said + SAY_NOTHING_EVERY_S:
            said = time.monotonic()
            yield b": \n\n"
        yield b""
        time.sleep(LOOK_EVERY_S)


@follows("logs-resume")
def _backlog(events: list[Event], start: Start, source: str | None) -> list[Event]:
    if start.after_event is not None:
        at, _, number = start.after_event.partition("/")
        if number.isdecimal():
            events = [one for one in events if one.number > int(number)]
        else:
            events = [one for one in events if seconds_of(one.at) > seconds_of(at)]
    elif start.since_s is not None:
        events = [one for one in events if seconds_of(one.at) >= start.since_s]
    chosen = [one for one in events if source in (None, one.source)]
    if start.after_event is None and start.since_s is None:
        return chosen[max(0, len(chosen) - start.tail) :]
    return chosen


class _Reader:
    """Whole lines of the file as they come."""

    def __init__(self, path: Path, simulated: Callable[[float], float]) -> None:
        self._path, self._simulated = path, simulated
        self._offset = self._number = 0

    def new(self) -> list[Event]:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = []
        for text in whole.splitlines():
            one = json.loads(text)
            self._number += 1
            at = rfc3339(self._simulated(one["at"]))
            events.append(Event(number=self._number, at=at, source=one["source"], line=one["line"]))
        return events
