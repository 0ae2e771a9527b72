"""What a machine tells of its job: notes beside the run, which outlive it. The same for every cloud.

`machine.py` writes them: started.json, interruptions/MACHINE.json, outcome.json.
"""

import json
from typing import Any

from infra.buckets.store import ObjectStore
from infra.errors import JobError
from infra.jobs.job import JobStatus, ended

OUTCOME, STARTED, INTERRUPTIONS = "outcome.json", "started.json", "interruptions/"


class Notes:
    """The notes of all machines of one job."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        """`prefix` in the store, without a slash at its end."""
        self._store, self._prefix = store, prefix

    def outcome(self) -> JobStatus | None:
        """How the job ended; None while nobody has told.

        Raises:
            JobError: the note is damaged.
            HostError: the store does not answer.
        """
        told = self._read(OUTCOME)
        if told is None:
            return None
        return ended(int(told["code"]), str(told.get("reason") or ""))

    def outcome_or_lost(self, reason: str) -> JobStatus:
        """For a job whose machine is gone: lost, unless it told since it was last asked, a moment before it went."""
        return self.outcome() or JobStatus(state="lost", reason=reason)

    def started_by(self) -> str | None:
        """The machine that began last; None before the first."""
        told = self._read(STARTED)
        return str(told["machine"]) if told is not None and told.get("machine") else None

    def interrupted(self) -> tuple[str, ...]:
        """Machines that said that they were taken away."""
        head = f"{self._prefix}/{INTERRUPTIONS}"
        return tuple(key.removeprefix(head).removesuffix(".json") for key in self._store.keys(head))

    def text(self, name: str, offset: int = 0) -> bytes:
        """A file beside the notes from a byte on; nothing where there is none."""
        return self._store.get(f"{self._prefix}/{name}", offset) or b""

    def remove(self) -> None:
        """All of them; fine if there are none."""
        for key in list(self._store.keys(f"{self._prefix}/")):
            self._store.remove(key)

    def _read(self, name: str) -> dict[str, Any] | None:
        text = self._store.get(f"{self._prefix}/{name}")
        if text is None:
            return None
        try:
            note = json.loads(text)
        except ValueError as error:
            raise JobError(f"{self._store.address}/{self._prefix}/{name} is damaged; remove it") from error
        return note if isinstance(note, dict) else None
