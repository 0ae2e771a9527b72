"""A thread that asks for a cloud's notices beside a training."""

import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType

from app.telemetry.interruption_notices.notice import Notice, NoticeSource


class NoticeWatch:
    """Looks as often as the cloud advises until it is left; tells each notice once."""

    def __init__(
        self,
        source: NoticeSource,
        *,
        tell: Callable[[Notice], None],
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            tell: hears of each new notice, in this thread.
        """
        self._source, self._tell, self._note, self._clock = source, tell, note, clock
        self._told: set[tuple[bool, str]] = set()
        self._answered_s = clock()
        self._silence_noted = False
        self._over = Event()
        self._thread = Thread(target=self._watch, name="interruption-notices", daemon=True)

    def __enter__(self) -> "NoticeWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=1.0)  # a look that hangs is left behind

    def _watch(self) -> None:
        while True:
            self.look()
            if self._over.wait(self._source.every_s):
                return

    def look(self) -> None:
        """Look once."""
        try:
            notices = self._source.look()
        except OSError as error:
            if not self._silence_noted and self._clock() - self._answered_s >= self._source.silent_s:
                self._silence_noted = True
                self._note(
                    f"warning: the machine's metadata address does not answer ({error}): an interruption would come "
                    "without notice; let containers reach it (on AWS a hop limit of 2)"
                )
            return
        self._answered_s, self._silence_noted = self._clock(), False
        for notice in notices:
            if (notice.ends, notice.about) not in self._told:
                self._told.add((notice.ends, notice.about))
                self._tell(notice)
