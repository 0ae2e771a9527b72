"""A cloud's word about the machine we are on."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Either the end, or only a warning of one."""

    ends: bool
    """True: the machine goes, in minutes or less. False: it may go, or only pauses; the training goes on."""
    text: str
    """One line for the log, with the time where it is told."""
    about: str = ""
    """What tells it from another notice of the same kind, where a cloud names its notices."""


class NoticeSource(Protocol):
    """One cloud's way to tell."""

    every_s: float
    """How often it should be asked."""
    silent_s: float
    """So long without an answer is worth a note: then nothing would be heard in time."""

    def look(self) -> tuple[Notice, ...]:
        """What is told now; empty almost always.

        Raises:
            OSError: the cloud does not answer, or not as it should.
        """
        ...
