"""Progress of long work: a bar where somebody looks, plain lines where nobody does, silence in tests."""

import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

PLAIN_LINE_EVERY_S = 10.0


class Progress(Protocol):
    """What library code reports to; it never draws by itself."""

    def start(self, what: str, total: float | None) -> None:
        """Begin a stage of `total` units; None where the total is unknown."""
        ...

    def advance(self, amount: float = 1, note: str = "") -> None:
        """So many more units are done."""
        ...

    def note(self, text: str) -> None:
        """A line that stays on the screen."""
        ...

    def done(self) -> None:
        """The stage is over."""
        ...


class Silent:
    """Reports nothing."""

    def start(self, what: str, total: float | None) -> None:
        """Nothing."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""


class Bar:
    """A bar with rate and time left on a terminal; elsewhere one plain line every ten seconds.

    Draws on standard error, so that a result on standard output can be piped.
    """

    def __init__(self, unit: str = "") -> None:
        self._console = Console(stderr=True)
        self._unit = unit
        self._bar: RichProgress | None = None
        self._what, self._total, self._count, self._note = "", None, 0.0, ""
        self._started = self._last_line = 0.0

    def start(self, what: str, total: float | None) -> None:
        """See `Progress.start`; ends a stage still open."""
        if self._what:
            self.done()
        self._what, self._total, self._count, self._note = what, total, 0.0, ""  # type: ignore[assignment]
        self._started = self._last_line = time.monotonic()
        if not self._console.is_terminal:
            return
        self._bar = RichProgress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._task = self._bar.add_task(what, total=total, rate="", note="")
        self._bar.start()

    def advance(self, amount: float = 1, note: str = "") -> None:
        """See `Progress.advance`."""
        self._count += amount
        self._note = note or self._note
        if self._bar is not None:
            self._bar.update(self._task, advance=amount, rate=self._rate(), note=self._note)
        elif time.monotonic() - self._last_line >= PLAIN_LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._plain()

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        (self._bar.console if self._bar is not None else self._console).print(
            text, highlight=False, markup=False
        )

    def done(self) -> None:
        """See `Progress.done`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._what:
            self._plain()
        self._what = ""

    def _rate(self) -> str:
        seconds = time.monotonic() - self._started
        return f"{self._count / seconds:,.1f} {self._unit}/s".replace(" /s", "/s") if seconds > 0 else ""

    def _plain(self) -> None:
        total = "" if self._total is None else f" of {self._total:,.0f}"
        sys.stderr.write(f"{self._what}: {self._count:,.0f}{total}, {self._rate()} {self._note}\n")
