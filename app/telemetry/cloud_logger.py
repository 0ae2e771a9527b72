"""CloudLogger: what happens in a run, as records in its own log.jsonl and in a cloud's log.

A record costs the caller two appends to files of this machine; a thread of its own brings it to the cloud.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from app.errors import SettingsError
from app.storage import output_error
from app.telemetry.logs.record import LogRecord, RecordMaker
from app.telemetry.logs.scrub import Scrub
from app.telemetry.logs.sender import Sender
from app.telemetry.logs.shipper import Shipper
from app.telemetry.logs.spool import Spool

CLOSE_WITHIN_S = 8.0
"""Of the two minutes that a spot machine of AWS has left, and the 30 s of Azure's, most belong to the checkpoint."""


class CloudLogger:
    """One run's log. Any thread may call it; it raises nothing on the way and waits for no network."""

    def __init__(
        self,
        *,
        run: str,
        keep: Callable[[dict[str, Any]], None],
        note: Callable[[str], None],
        scrub: Callable[[str], str] | None = None,
        sender: Sender | None = None,
        queue: Path | None = None,
        **pace: Any,
    ) -> None:
        """
        Args:
            run: its name in every record.
            keep: writes a record into the run's own file.
            scrub: takes out of a text what must not be told.
            sender: the cloud's log; None keeps records here alone.
            queue: folder for what waits to be sent, outside the run.
            pace: `every_s` and `backoff_s` of the `Shipper`.

        Raises:
            OutputError: the folder cannot be made.
        """
        self._scrub = scrub or Scrub()
        self._maker = RecordMaker(run=run, host=socket.gethostname(), scrub=self._scrub)
        self._keep, self._note = keep, note
        self._lock = Lock()
        self._disk_full_told = False
        self._spool: Spool | None = None
        self._shipper: Shipper | None = None
        if sender is not None and queue is not None:
            try:
                self._spool = Spool(queue)
            except OSError as error:
                raise output_error(queue, error) from error
            self._shipper = Shipper(self._spool, sender, note=note, tell=self._tell, **pace)

    def log(
        self,
        level: str,
        kind: str,
        message: str,
        *,
        step: int | None = None,
        figures: dict[str, Any] | None = None,
    ) -> None:
        """Put a record down; it is on the disk when this returns.

        Args:
            figures: what JSON can hold, without NaN.
        """
        with self._lock:
            record = self._maker.make(level, kind, message, step=step, figures=figures or {})
            self._keep(record.as_dict())
            wrong = self._wait_for_the_cloud(record)
        if wrong is not None and not self._disk_full_told:
            self._disk_full_told = True
            self._note(f"warning: {wrong}: records do not reach the cloud any more, training goes on")

    def _wait_for_the_cloud(self, record: LogRecord) -> str | None:
        if self._spool is None:
            return None
        try:
            self._spool.append(record.as_line())
        except OSError as error:
            return str(output_error(self._spool.folder, error))
        return None

    def close(self, *, within_s: float | None = None) -> None:
        """Send what waits, bounded; the rest stays where the next process of this run finds it.

        Args:
            within_s: CLOSE_WITHIN_S where it is None.
        """
        if self._shipper is None or self._spool is None:
            return
        if self._shipper.close(within_s=CLOSE_WITHIN_S if within_s is None else within_s):
            self._spool.clear()
        else:
            self._note(
                f"{self._spool.waiting} records wait in {self._spool.folder}; the next start of this run sends them"
            )

    def _tell(self, error: Exception) -> str:
        line = (f"{type(error).__name__} {error}".splitlines() or [""])[0]
        return self._scrub(line)[:300]


def open_sender(provider: str, group: str | None, *, run: str) -> Sender | None:
    """What brings records to this cloud; None for `local`.

    Args:
        group: see `CloudConfig.log_group`.
        run: its name; AWS keeps a stream for each run and host.

    Raises:
        SettingsError: no group is named, or the cloud's package is not installed.
    """
    if provider == "local":
        return None
    if not group:
        raise SettingsError(f"log_provider={provider} needs log_group: set SONARSTACK_LOG_GROUP")
    if provider == "aws":
        from app.telemetry.logs.aws import CloudWatchSender

        return CloudWatchSender(group, f"{run}/{socket.gethostname()}")
    if provider == "gcp":
        from app.telemetry.logs.gcp import CloudLoggingSender

        return CloudLoggingSender(group)
    from app.telemetry.logs.azure import MonitorSender

    return MonitorSender(group)
