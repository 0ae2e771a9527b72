"""A thread that asks for a cloud's notices beside a training."""

from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType

from app.telemetry.interruption_notices.notice import Notice

EVERY_S = 5.0
"""As AWS advises; two minutes are left from the notice on."""
SILENT_LOOKS = 12
"""A minute without an answer is worth a note: then nothing will be heard in time."""


class NoticeWatch:
    """Looks every five seconds until it is left; tells each notice once."""

    def __init__(
        self,
        look: Callable[[], tuple[Notice, ...]],
        *,
        tell: Callable[[Notice], None],
        note: Callable[[str], None],
        every_s: float | None = None,
    ) -> None:
        """
        Args:
            look: raises OSError where the cloud does not answer.
            tell: hears of each new notice, in this thread.
        """
        self._look, self._tell, self._note = look, tell, note
        self._every_s = EVERY_S if every_s is None else every_s
        self._told: set[bool] = set()
        self._silent = 0
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
            if self._over.wait(self._every_s):
                return

    def look(self) -> None:
        """Look once."""
        try:
            notices = self._look()
        except OSError as error:
            self._silent += 1
            if self._silent == SILENT_LOOKS:
                self._note(
                    f"warning: the machine's metadata address does not answer ({error}): an interruption would come "
                    "without notice; let containers reach it (hop limit 2)"
                )
            return
        self._silent = 0
        for notice in notices:
            if notice.ends not in self._told:
                self._told.add(notice.ends)
                self._tell(notice)
