"""What Azure tells a machine by its Scheduled Events: of an eviction 30 seconds before, as well as it can.

Source: Microsoft's "Scheduled Events for Linux VMs" and "Use Azure Spot Virtual Machines" (articles of 2026): header
Metadata: true, one question a second advised; the first answer may take two minutes, for it turns the events on, and
they come within five. Least notice: Preempt 30 s and best effort, Terminate 5 minutes, Redeploy 10, Reboot and
Freeze 15. DocumentIncarnation grows with each change of the list; here each event is told once by its own id.

Nothing is approved here (POST of StartRequests), although that is offered: it "can shorten the minimum notification
time", so it brings the end nearer, for this program's machine and every other that the event names. After the last
checkpoint and its mirror a machine still brings its notes and its log away, and then ends itself.
"""

import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from app.telemetry.interruption_notices.metadata import TIMEOUT_S, MetadataAddress
from app.telemetry.interruption_notices.notice import Notice

EVENTS_PATH = "/metadata/scheduledevents?api-version=2020-07-01"
NAME_PATH = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
HEADERS = {"Metadata": "true"}
FIRST_TIMEOUT_S = 150.0
NEAR_S = 60.0
"""So long before a restart what was done since its first notice is saved once more."""
ENDS = {
    "Preempt": "Azure takes this spot machine",
    "Terminate": "Azure deletes this machine",
}
GOES_ON = {
    # The same machine starts again with its disk, and its first program begins the training from the newest checkpoint.
    "Reboot": "Azure restarts this machine, which then goes on from its newest checkpoint",
    "Redeploy": "Azure moves this machine to another host, where it goes on from its newest checkpoint",
    # Memory stays: the training itself goes on, and the checkpoint is for the case that it does not.
    "Freeze": "Azure pauses this machine, and the training goes on after that",
}


class ScheduledEvents:
    """Asks Azure's metadata address for events that name this machine."""

    every_s = 1.0
    """As Microsoft advises; of 30 seconds five would be much."""
    silent_s = 180.0
    """The first answer alone may take two minutes."""

    def __init__(self, address: str | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """`address` instead of Azure's own."""
        self._metadata = MetadataAddress(address)
        self.address = self._metadata.address
        self._clock = clock
        self._name: str | None = None
        self._answered = False

    def look(self) -> tuple[Notice, ...]:
        """See `NoticeSource.look`."""
        events = self._events()
        mine = [event for event in events if self._is_mine(event)] if events else []
        return tuple(self._notice(event) for event in mine)

    def _events(self) -> list[dict[str, Any]]:
        timeout_s = TIMEOUT_S if self._answered else FIRST_TIMEOUT_S
        text = self._metadata.ask(EVENTS_PATH, HEADERS, timeout_s=timeout_s)
        try:
            events = json.loads(text)["Events"]
        except (ValueError, TypeError, KeyError) as error:
            raise OSError(f"no list of events from {self.address}") from error
        self._answered = True
        return [event for event in events if isinstance(event, dict)]

    def _is_mine(self, event: dict[str, Any]) -> bool:
        """Machines of an availability or scale set hear of each other's events too."""
        if self._name is None:
            try:
                self._name = self._metadata.ask(NAME_PATH, HEADERS).strip().lower()
            except OSError:
                return True  # rather a checkpoint for another's event than none for ours
        return self._name in {str(name).lower() for name in event.get("Resources") or [self._name]}

    def _notice(self, event: dict[str, Any]) -> Notice:
        kind, about = str(event.get("EventType")), str(event.get("EventId", ""))
        started = event.get("EventStatus") == "Started"
        when = "now" if started else f"at {event.get('NotBefore') or 'a time not told'}"
        if kind in ENDS:
            return Notice(ends=True, about=about, text=f"{ENDS[kind]} {when} ({kind})")
        what = GOES_ON.get(kind, "Azure announces something else for this machine")
        if not started and self._left_s(event) > NEAR_S:
            return Notice(ends=False, about=about, text=f"{what}: {when} ({kind})")
        return Notice(ends=False, about=f"{about} near", text=f"{what}: {when}, in a moment ({kind})")

    def _left_s(self, event: dict[str, Any]) -> float:
        """Seconds until it may begin; 0 where that is not told."""
        try:
            return parsedate_to_datetime(str(event.get("NotBefore"))).timestamp() - self._clock()
        except ValueError:
            return 0.0
