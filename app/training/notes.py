"""What several processes leave for those that are started after them: words in the store of torchrun's agent."""

import json
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from app.config.launch import Launch

NOTE_WAIT_S = 60.0
MEET_EVERY_S = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How all processes ended, for those that are started after it was decided."""

    code: int
    reason: str
    error: str = ""
    """Name of the exception's class, where it was one."""


class Notes:
    """What outlives a restart: words in the store of torchrun's agent."""

    def __init__(self, launch: Launch) -> None:
        self._prefix = f"sonarstack/{launch.run_id}/"
        self._store = TCPStore(
            launch.address, launch.port, is_master=False, timeout=timedelta(seconds=NOTE_WAIT_S)
        )

    def write(self, name: str, text: str) -> None:
        """Instead of what was there."""
        self._store.set(self._prefix + name, text)

    def read(self, name: str) -> str | None:
        """None where nobody wrote."""
        if not self._store.check([self._prefix + name]):
            return None
        return str(self._store.get(self._prefix + name).decode())

    def first(self, name: str, text: str) -> str:
        """What whoever came first wrote, which may be this."""
        return str(self._store.compare_set(self._prefix + name, "", text).decode())

    def meeting(self, rank: int, size: int, *, wait_s: float) -> PrefixStore:
        """A part of the store that is new to all processes of this attempt; returns when all of them are there.

        The agent's store keeps what an earlier attempt wrote, addresses of processes that are gone among it, and
        counts of restarts differ between machines. So the first process calls with a word of its own until each of
        the others has answered with one, and says which answers it heard.

        Source: pytorch/pytorch issues 135712 and 167288: torch's own meeting takes what lies there.

        Raises:
            RuntimeError: not all of them came.
        """
        mine, deadline = uuid.uuid4().hex, time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if rank == 0:
                self.write("call", mine)
                answers = [self.read(f"answer/{mine}/{other}") for other in range(1, size)]
                heard = [answer for answer in answers if answer is not None]
                if len(heard) == size - 1:
                    self.write(f"heard/{mine}", " ".join(heard))
                    return PrefixStore(f"{self._prefix}{mine}/", self._store)
            elif (call := self.read("call")) is not None:
                self.write(f"answer/{call}/{rank}", mine)
                if mine in (self.read(f"heard/{call}") or ""):
                    return PrefixStore(f"{self._prefix}{call}/", self._store)
            time.sleep(MEET_EVERY_S)
        raise RuntimeError(f"not all {size} processes came within {wait_s:.0f} s")

    def end(self, ended: Ended) -> None:
        """How it ended; whoever says it first counts."""
        self.first("ended", json.dumps(asdict(ended)))

    def ended(self) -> Ended | None:
        """How it ended in an earlier attempt; None where it goes on."""
        text = self.read("ended")
        return None if text is None else Ended(**json.loads(text))
