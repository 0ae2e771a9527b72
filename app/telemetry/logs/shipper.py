"""A thread that brings what waits in the spool to the cloud, for as long as that takes; training never waits for it."""

import random
import time
from collections.abc import Callable
from threading import Event, Thread

from app.telemetry.logs.record import LogRecord
from app.telemetry.logs.sender import RefusedError, Sender, Sent
from app.telemetry.logs.spool import Batch, Spool

EVERY_S = 5.0
BACKOFF_S = (1.0, 60.0)
"""First and longest pause after a failure; doubled each time, shortened at random so that machines fall out of step."""


class Shipper:
    """Sends in order; what fails is asked again, and stays on the disk until it is taken."""

    def __init__(
        self,
        spool: Spool,
        sender: Sender,
        *,
        note: Callable[[str], None],
        tell: Callable[[Exception], str],
        every_s: float = EVERY_S,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        """
        Args:
            note: hears once when the cloud is not reached, and once when it is again.
            tell: an error as it may be told.
        """
        self._spool, self._sender, self._note, self._tell = spool, sender, note, tell
        self._every_s, self._backoff_s = every_s, backoff_s
        self._failures, self.sent, self.refused, self._lost_told = 0, 0, 0, 0
        self._closing = Event()
        self._until_s = float("inf")
        self._thread = Thread(target=self._run, name="cloud-logger", daemon=True)
        self._thread.start()

    def close(self, *, within_s: float) -> bool:
        """Send what waits, bounded; whether all of it went. The rest stays on the disk."""
        self._until_s = time.monotonic() + within_s
        self._closing.set()
        self._thread.join(within_s)
        return self._spool.waiting == 0

    def _run(self) -> None:
        pause_s = 0.0
        while True:
            closing = self._closing.wait(pause_s)
            if closing and time.monotonic() >= self._until_s:
                return
            pause_s = self._round()
            if closing and (self._spool.waiting == 0 or time.monotonic() + pause_s >= self._until_s):
                return
            if closing:
                time.sleep(pause_s)
                pause_s = 0.0

    def _round(self) -> float:
        """Send until nothing waits or it fails; seconds until the next one."""
        while True:
            try:
                batch = self._spool.read(self._sender.max_records, self._sender.max_bytes)
                if batch is None:
                    return self._every_s
                self._send(batch)
            except Exception as error:  # noqa: BLE001 each cloud's own: whatever it is, it is asked again later
                self._failed(error)
                first_s, longest_s = self._backoff_s
                pause_s = min(longest_s, first_s * 2.0 ** min(self._failures - 1, 16))
                return pause_s * random.uniform(0.5, 1.0)
            self._reached()

    def _send(self, batch: Batch) -> None:
        """As many of the first lines as go in one call, ticked off when they are taken."""
        records = []
        for line in batch.lines:
            try:
                records.append(LogRecord.from_line(line))
            except ValueError:  # a disk's work
                break
        if not records:
            self.refused += 1
            self._spool.tick_off(batch, 1)
            return
        sent = self._try(records)
        if sent.refused and self.refused == 0:
            self._note(
                f"warning: {self._sender.name} does not keep {sent.refused} records, the first of them of "
                f"{records[0].time}; they stay in log.jsonl alone"
            )
        self.refused += sent.refused
        self.sent += sent.taken - sent.refused
        self._spool.tick_off(batch, sent.taken)

    def _try(self, records: list[LogRecord]) -> Sent:
        """Send; of records that the cloud refuses, only the wrong ones are given up.

        Where it has never taken any, the fault lies not in the records: then all of them wait.
        """
        while True:
            try:
                return self._sender.send(records)
            except RefusedError:
                if len(records) > 1:
                    records = records[: len(records) // 2]
                elif self.sent:
                    return Sent(taken=1, refused=1)
                else:
                    raise

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            self._note(
                f"warning: {self._sender.name} is not reached ({self._tell(error)}): {self._sender.advice(error)}; "
                f"records are kept in {self._spool.folder} and sent later, training goes on"
            )

    def _reached(self) -> None:
        lost = self._spool.lost
        if lost > self._lost_told:
            self._note(
                f"warning: {lost - self._lost_told} records found no room in {self._spool.folder} and were not sent; "
                "they are in log.jsonl"
            )
            self._lost_told = lost
        if self._failures:
            self._note(f"{self._sender.name} is reached again after {self._failures} failures")
            self._failures = 0
