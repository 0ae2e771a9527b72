"""A cloud's word about the machine we are on."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Either the end, or only a warning of one."""

    ends: bool
    """True: the machine goes, in minutes. False: it may go; nothing is sure."""
    text: str
    """One line for the log, with the time where it is told."""
