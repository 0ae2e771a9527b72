"""What a rehearsal must show; it is a success only if every one of these held."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """One of them, and what was found."""

    text: str
    kept: bool
    found: str

    def line(self) -> str:
        """For people."""
        return f"{'kept  ' if self.kept else 'BROKEN'}  {self.text}: {self.found}"


class Promises:
    """All so far."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.made: list[Promise] = []

    def hold(self, text: str, kept: bool, found: str) -> bool:
        """Note whether it held, and say so."""
        one = Promise(text=text, kept=kept, found=found)
        self.made.append(one)
        self._say(one.line())
        return kept

    @property
    def all_kept(self) -> bool:
        """Whether there was any, and none was broken."""
        return bool(self.made) and all(one.kept for one in self.made)

    def as_list(self) -> list[dict[str, Any]]:
        """For JSON."""
        return [asdict(one) for one in self.made]
