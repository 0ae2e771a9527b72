"""Server-sent events, as Runpod streams a pod's log: bytes in pieces of any size -> events.

Source: html.spec.whatwg.org server-sent-events, 'interpreting an event stream'; the getPodLogs description of the
contract.
"""

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infra.runpod.errors import ServiceError
from infra.runpod.transport import read
from infra.runpod.wire import LogLine

MESSAGES = ("", "message", "log")
"""Events with lines. The contract names none; others, such as a ping, are left out (an assumption)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; lines of data are joined by line feeds."""

    name: str
    data: str
    id: str


def log_lines(pieces: Iterable[bytes], what: str) -> Iterator[LogLine]:
    """The log's lines of a stream.

    Raises:
        ServiceError: an event is not what the contract says.
    """
    for event in events(pieces):
        if event.name not in MESSAGES:
            continue
        try:
            payload = json.loads(event.data)
        except ValueError as error:
            raise ServiceError(f"Runpod: {what}: a line of the log is no JSON") from error
        yield read(LogLine.read, payload, what)


def events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Events with data. A last one that lacks its empty line counts, as the contract's own example lacks it."""
    name, identity = "", ""
    data: list[str] = []
    for line in _lines(pieces):
        if not line:
            if data:
                yield Event(name, "\n".join(data), identity)
            name, data = "", []
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id":
            identity = value
    if data:
        yield Event(name, "\n".join(data), identity)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Whole lines, ended by CR LF, LF or CR; what has no end is no line."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    rest = ""
    for piece in pieces:
        rest += decoder.decode(piece)
        # A CR at the very end may be the half of a CR LF.
        held = "\r" if rest.endswith("\r") else ""
        whole = rest.removesuffix(held) if held else rest
        parts = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest = parts.pop() + held
        yield from parts
    if rest.endswith("\r"):
        yield rest[:-1]
