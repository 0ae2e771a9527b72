"""What `watch` tells of a cloud's virtual machine: which it is, its price, dollars so far and to come, its deadline."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from infra.errors import InfraError
from infra.journal import Journal, Lease
from infra.vm.now import MachineNow, look_now, name_of
from stacks.verbs.watch_pod import ASKED_EVERY_S, MONEY, to_the_end

if TYPE_CHECKING:
    from stacks.live import Look


class MachineRows:
    """Of one machine, by an output `where`; its cloud is asked now and then."""

    def __init__(
        self,
        where: Mapping[str, Any],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` says when the cloud is asked again."""
        self._where, self._name, self._stamp = where, name_of(where), str(where["owner"])
        self._clock, self._now, self._journal = clock, now, Journal()
        self._now_there = MachineNow(name=self._name, status="")
        self._problem = ""
        self._asked_at = -ASKED_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def rows(self, look: "Look") -> dict[str, Any]:
        """Figures by name, as of a pod; None is not known."""
        if self._clock() - self._asked_at >= ASKED_EVERY_S:
            self._ask()
        return {
            "pod": self._name,
            "pod_status": self._now_there.status or None,
            "pod_problem": self._problem or None,
            "simulated": False,
            "gpu_name": self._now_there.type_name or None,
            "gpus_percent": None,
            "gpus_memory_percent": None,
            **self._money(look),
        }

    def _ask(self) -> None:
        self._asked_at = self._clock()
        try:
            self._now_there = look_now(self._where)
        except InfraError as error:
            self._problem = str(error)
            return
        self._problem = ""

    def _money(self, look: "Look") -> dict[str, Any]:
        lease = next(
            (one for one in reversed(self._journal.leases(stamp=self._stamp)) if one.name == self._name), None
        )
        if lease is None:
            return dict.fromkeys(MONEY)
        now = self._now()
        left_s = None
        if lease.lease_until is not None and lease.ended_at is None:
            left_s = max(0.0, (lease.lease_until - now).total_seconds())
        price = self._price(lease)
        spent = self._journal.spent_usd(lease.account, lease.stamp, lease.run, now)
        # This machine by what it costs now, earlier ones of the run by their ceilings.
        spent -= lease.usd(now) * (1 - price / lease.price_usd_per_h) if lease.price_usd_per_h else 0.0
        return {
            "usd_per_h": price,
            "machines_usd": round(spent, 4),
            "lease_until": lease.lease_until.isoformat() if lease.lease_until else None,
            "lease_seconds_left": left_s,
            "pod_ended": lease.end_reason or None,
            **to_the_end(look.left_s, price, spent, left_s),
        }

    def _price(self, lease: Lease) -> float:
        now = self._now_there.price_usd_per_h
        return lease.price_usd_per_h if now is None else min(now, lease.price_usd_per_h)
