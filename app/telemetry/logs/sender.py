"""What brings records to a cloud, and how it says that they cannot go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.telemetry.logs.record import LogRecord


class RefusedError(Exception):
    """The cloud says that these very records are wrong: to send them again is of no use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """How far one call came."""

    taken: int
    """Records from the first on that need no more care."""
    refused: int = 0
    """Of those, how many the cloud did not keep, such as those that are too old."""


class Sender(Protocol):
    """One cloud's log. Called by one thread, never the training's."""

    name: str
    """For notes: the cloud and the log in it."""
    max_records: int
    max_bytes: int
    """Of one call, as lines of JSON."""

    def send(self, records: Sequence[LogRecord]) -> Sent:
        """Bring them there, in this order.

        Raises:
            RefusedError: they, or one of them, will never be taken.
            Exception: anything else: not now; ask again later.
        """
        ...

    def advice(self, error: Exception) -> str:
        """What somebody could do about it."""
        ...
