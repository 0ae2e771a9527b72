"""A cloud's notices turned into what the training does: end whole, or keep what it has."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.exit_codes import ExitCode
from app.telemetry.interruption_notices.notice import Notice, NoticeSource
from app.telemetry.interruption_notices.watch import NoticeWatch
from app.training.limits import Interruption


def notices_of(provider: str, metadata_url: str | None) -> NoticeSource | None:
    """Who is asked on a machine of this cloud; None where it gives no notice, or none that we know."""
    if provider == "aws":
        from app.telemetry.interruption_notices.aws import SpotNotices

        return SpotNotices(metadata_url)
    if provider == "azure":
        from app.telemetry.interruption_notices.azure import ScheduledEvents

        return ScheduledEvents(metadata_url)
    return None


@contextmanager
def watch_notices(
    source: NoticeSource | None, interruption: Interruption, *, note: Callable[[str], None]
) -> Iterator[None]:
    """Hear the cloud while the training runs; without `source` nobody is asked.

    A notice of the end asks for one, with a checkpoint, at the next step; a warning only asks for a checkpoint.
    """
    if source is None:
        yield
        return

    def tell(notice: Notice) -> None:
        note(notice.text)
        if notice.ends:
            interruption.end(ExitCode.INTERRUPTED, notice.text)
        else:
            interruption.wants_checkpoint = True

    with NoticeWatch(source, tell=tell, note=note):
        yield
