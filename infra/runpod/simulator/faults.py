"""Faults on demand: armed with the requests they are for, and how many of those."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from threading import Lock

REQUEST_FAULTS = (
    "status", "too_many", "answer_lost", "answer_lost_before", "delay", "delay_after", "no_capacity", "empty_stock",
    "lowercase_data_center", "key_refused",
)  # fmt: skip
"""Of one request: another answer (`status`), 429 with Retry-After (`seconds`), the work done and no answer, no work
and no answer, work late by `seconds` (none if the client leaves before), work at once and its answer late, 400 for
lack of stock, a catalogue without stock, data centres in lower case, and 403 for the pod's own key."""
POD_FAULTS = ("never_ready", "error", "bad_gpu", "dies", "slow_ssh", "list_lags")
"""Of the pod that a create makes: stays in STARTING, goes to ERROR, its nvidia-smi fails, vanishes after `seconds`,
its program (and sshd) starts `seconds` late, is listed only after `seconds`."""
KINDS = REQUEST_FAULTS + POD_FAULTS


@dataclass(kw_only=True)
class Fault:
    """Armed for the next `count` requests that match, after `skip` that go by unharmed."""

    kind: str
    method: str | None = None
    """None is any."""
    path: str = "/v2/"
    """The request's path begins so."""
    count: int = 1
    skip: int = 0
    status: int = 503
    seconds: float = 1.0
    by: str | None = "account"
    """account or pod: whose requests; None is anybody's. What pods ask by themselves should not use a fault up."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault kind {self.kind!r} is unknown; known are {', '.join(KINDS)}")
        if self.kind in POD_FAULTS:
            self.method, self.path = "POST", "/v2/pods"
        if self.kind == "key_refused":
            self.by = "pod"

    def matches(self, method: str, path: str, by: str) -> bool:
        """Whether it is for this request."""
        if self.by not in (None, by):
            return False
        if self.kind in POD_FAULTS and path != self.path:
            return False
        return self.method in (None, method) and path.startswith(self.path)


class Faults:
    """All that are armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = Lock()

    def arm(
        self,
        kind: str,
        *,
        method: str | None = None,
        path: str = "/v2/",
        count: int = 1,
        skip: int = 0,
        status: int = 503,
        seconds: float = 1.0,
        by: str | None = "account",
    ) -> Fault:
        """See `Fault`.

        Raises:
            ValueError: no such kind.
        """
        fault = Fault(
            kind=kind, method=method, path=path, count=count, skip=skip, status=status, seconds=seconds, by=by
        )
        with self._lock:
            self._armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[dict[str, object]]:
        """Those that are left."""
        with self._lock:
            return [asdict(one) for one in self._armed]

    def take(self, method: str, path: str, kinds: Iterable[str], by: str = "account") -> list[Fault]:
        """Those that this request meets, now used up by one; `by` is account or pod."""
        wanted, met = set(kinds), []
        with self._lock:
            for fault in self._armed:
                if fault.kind not in wanted or not fault.matches(method, path, by):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.count -= 1
                met.append(fault)
            self._armed = [one for one in self._armed if one.count > 0]
        return met
