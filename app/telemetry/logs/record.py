"""One record of a run's log: the same in the local file and in every cloud."""

import itertools
import json
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

LEVELS = ("INFO", "WARNING", "ERROR")
LONGEST_TEXT = 8000
"""Characters of a message or a text figure; with Azure's limit of 64 KiB a field this is far from any cloud's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRecord:
    """What happened, when and where."""

    id: str
    """Unique and growing within a process: a record that a cloud got twice is known by it."""
    time_ms: int
    """Since 1970, UTC; never less than that of the record before."""
    level: str
    kind: str
    """start, step, epoch, checkpoint, note, notice, end."""
    message: str
    run: str
    host: str
    step: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """ISO 8601 in UTC, to the millisecond."""
        moment = datetime.fromtimestamp(self.time_ms / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def as_dict(self) -> dict[str, Any]:
        """For JSON: with the time as text too, since people read it."""
        return {"time": self.time, **asdict(self)}

    def as_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(self.as_dict(), allow_nan=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "LogRecord":
        """What `as_line` wrote.

        Raises:
            ValueError: it is another line, or a damaged one.
        """
        try:
            values = json.loads(line)
            values.pop("time")
            return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no record: {type(error).__name__}") from error


class RecordMaker:
    """Gives records their id, time and place, and takes out what must not be told."""

    def __init__(
        self,
        *,
        run: str,
        host: str,
        scrub: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._run, self._host, self._scrub, self._clock = run, host, scrub, clock
        self._process = uuid.uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._newest_ms = 0

    def make(
        self, level: str, kind: str, message: str, *, step: int | None, figures: dict[str, Any]
    ) -> LogRecord:
        """A record of now. Not for several threads at once."""
        self._newest_ms = max(self._newest_ms, int(self._clock() * 1000))
        return LogRecord(
            id=f"{self._process}-{next(self._numbers):08d}",
            time_ms=self._newest_ms,
            level=level,
            kind=kind,
            message=self._clean(message),
            run=self._clean(self._run),
            host=self._host,
            step=step,
            figures=self._clean(figures),
        )

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._scrub(value)[:LONGEST_TEXT]
        if isinstance(value, dict):
            return {str(k): self._clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(v) for v in value]
        if isinstance(value, float) and not math.isfinite(value):
            return None  # JSON has no NaN
        return value if isinstance(value, int | float | None) else self._clean(str(value))
