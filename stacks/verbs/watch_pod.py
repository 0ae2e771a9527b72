"""What `watch` tells of a rented machine: its state, use, price, dollars so far and to come, and its deadline."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from infra.budget import Rates, forecast
from infra.errors import InfraError
from infra.journal import Journal
from infra.runpod.account import account_address
from infra.runpod.client import RunpodClient
from infra.runpod.errors import ServiceError
from infra.runpod.look import PodSeen, PodTerms, pod_terms, see_pod
from infra.specs import Limits

if TYPE_CHECKING:
    from stacks.live import Look

ASKED_EVERY_S = 15.0
"""The service has a limit of requests, and its figures do not change faster."""
ANSWERS_WITHIN_S = 10.0
MONEY = (
    "usd_per_h", "machines_usd", "lease_until", "lease_seconds_left", "pod_ended", "seconds_to_end", "forecast_usd",
    "done_in_time",
)  # fmt: skip


class PodRows:
    """Of one pod, by its name; the journal is read at each look, the service asked now and then."""

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` says when the service is asked again."""
        self._name, self._clock, self._now = name, clock, now
        self._journal = Journal()
        self._http = httpx.Client(timeout=ANSWERS_WITHIN_S)
        self._client: RunpodClient | None = None
        self._seen: PodSeen | None = None
        self._problem = ""
        self._asked_at = -ASKED_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def rows(self, look: "Look") -> dict[str, Any]:
        """Figures by name; None is not known."""
        if self._clock() - self._asked_at >= ASKED_EVERY_S:
            self._ask()
        now = self._now()
        terms = pod_terms(self._journal, account_address(), self._name, now)
        seen = self._seen
        return {
            "pod": self._name,
            "pod_status": seen.status if seen else None,
            "pod_problem": self._problem or None,
            "simulated": seen.simulated if seen else None,
            "gpu_name": (seen.gpu or None) if seen else None,
            "gpus_percent": list(seen.gpu_percent) if seen else None,
            "gpus_memory_percent": list(seen.gpu_memory_percent) if seen else None,
            **_money(terms, look, now),
        }

    def _ask(self) -> None:
        self._asked_at = self._clock()
        try:
            self._client = self._client or RunpodClient(http=self._http, sleep=_once)
            self._seen, self._problem = see_pod(self._client, self._journal, self._name), ""
        except InfraError as error:
            self._problem = str(error)


def _once(_: float) -> None:
    """Instead of waiting for another attempt: a look must never hold the table up."""
    raise ServiceError("Runpod does not answer now")


def _money(terms: PodTerms | None, look: "Look", now: datetime) -> dict[str, Any]:
    if terms is None:
        return dict.fromkeys(MONEY)
    left_s = None
    if terms.lease_until is not None and not terms.ended:
        left_s = max(0.0, (terms.lease_until - now).total_seconds())
    return {
        "usd_per_h": terms.usd_per_h,
        "machines_usd": round(terms.spent_usd, 4),
        "lease_until": terms.lease_until.isoformat() if terms.lease_until else None,
        "lease_seconds_left": left_s,
        "pod_ended": terms.ended or None,
        **to_the_end(look.left_s, terms.usd_per_h, terms.spent_usd, left_s),
    }


def to_the_end(
    left_s: tuple[float, float] | None, usd_per_h: float, spent_usd: float, lease_left_s: float | None
) -> dict[str, Any]:
    """Seconds and dollars at the run's end, each as a range bounded by the lease, and whether it is done within it.

    Args:
        left_s: of training, at the fastest and at the slowest pace; None where nothing can be said.
        usd_per_h: price of the machine.
        spent_usd: until now, by all machines of the run.
        lease_left_s: until the machine goes; None without a lease.
    """
    if left_s is None or lease_left_s is None or lease_left_s <= 0:
        return {"seconds_to_end": None, "forecast_usd": None, "done_in_time": None}
    ahead = forecast(
        seconds_an_epoch=left_s,
        epochs=1,  # the rest of the run as one stretch
        set_up_hours=0.0,
        rates=Rates(machine_usd_per_h=usd_per_h),
        limits=Limits(max_hours=lease_left_s / 3600),
    )
    return {
        "seconds_to_end": [round(3600 * ahead.hours_low, 1), round(3600 * ahead.hours_high, 1)],
        "forecast_usd": [round(spent_usd + ahead.usd_low, 4), round(spent_usd + ahead.usd_high, 4)],
        "done_in_time": None if left_s[0] <= lease_left_s < left_s[1] else left_s[1] <= lease_left_s,
    }
