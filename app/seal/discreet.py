"""What a sealed run says: its log lies on the host's disk, so it names none of the sealed files."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from app.telemetry.progress import Progress

HIDDEN = "(a sealed file)"
TELL_NOTHING = frozenset(
    {"data", "dataset", "images", "labels", "classes", "train", "val", "test", "annotations"}
)
"""Names that every data set has; as words of a log they stay."""


class Redaction:
    """Replaces names that must not be told, and places that mean nothing to whoever reads."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """Take what each place is called outside."""
        self._places = dict(places)
        self._names: re.Pattern[str] | None = None

    def hide(self, names: Iterable[str]) -> None:
        """Never tell these paths, nor the names of their files."""
        words = {
            word for name in names for word in (name, PurePosixPath(name).name, PurePosixPath(name).stem)
        }
        words -= TELL_NOTHING
        if not words:
            return
        # Longest first, so that no half of a name stays; whole words, so that a file `a.png` does not eat every a.
        ordered = sorted(words, key=len, reverse=True)
        self._names = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, ordered)) + r")(?!\w)")

    def __call__(self, text: str) -> str:
        """The text as it may be told."""
        for inside, outside in self._places.items():
            text = text.replace(inside, outside)
        return self._names.sub(HIDDEN, text) if self._names is not None else text


class Discreet:
    """A progress whose notes are redacted."""

    def __init__(self, progress: Progress, redact: Redaction) -> None:
        self._progress, self.redact = progress, redact

    def start(self, what: str, total: float | None) -> None:
        """See `Progress.start`."""
        self._progress.start(what, total)

    def advance(self, amount: float = 1, note: str = "") -> None:
        """See `Progress.advance`."""
        self._progress.advance(amount, note)

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        self._progress.note(self.redact(text))

    def done(self) -> None:
        """See `Progress.done`."""
        self._progress.done()
