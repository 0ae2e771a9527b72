"""What is known of a stack's pod at one look: the journal's part without asking anybody, the rest by the API."""

from dataclasses import dataclass
from datetime import datetime

from infra.journal import Journal, Lease
from infra.runpod.client import RunpodClient
from infra.runpod.guard import gpu_name
from infra.runpod.owner import GONE


@dataclass(frozen=True, kw_only=True, slots=True)
class PodTerms:
    """By the journal alone."""

    usd_per_h: float
    """0 once it has ended."""
    spent_usd: float
    """By all machines of the run, by their bills or our clock; storage apart."""
    lease_until: datetime | None
    ended: str = ""
    """Why it ended, if it did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodSeen:
    """By the API."""

    status: str
    """Runpod's, or GONE."""
    gpu: str = ""
    gpu_percent: tuple[int, ...] = ()
    """Use of each GPU; empty when it does not run."""
    gpu_memory_percent: tuple[int, ...] = ()
    simulated: bool = False


def pod_terms(journal: Journal, account: str, name: str, now: datetime) -> PodTerms | None:
    """What the newest lease under a name tells; None where another machine rented it."""
    lease = journal.newest(account, name)
    if lease is None:
        return None
    return PodTerms(
        usd_per_h=lease.price_usd_per_h if lease.ended_at is None else 0.0,
        spent_usd=journal.spent_usd(account, lease.stamp, lease.run, now),
        lease_until=lease.lease_until,
        ended=_end(lease),
    )


def see_pod(client: RunpodClient, journal: Journal, name: str) -> PodSeen:
    """The pod of a name as the service tells it.

    Raises:
        RunpodError: it cannot be asked.
    """
    lease = journal.living(client.address, name)
    pod = client.pod(lease.id) if lease is not None and lease.id else client.pod_named(name)
    if pod is None:
        return PodSeen(status="GONE", simulated=client.simulated)
    return PodSeen(
        status="GONE" if pod.status == GONE else pod.status,
        gpu=gpu_name(pod),
        gpu_percent=pod.gpu_percent,
        gpu_memory_percent=pod.gpu_memory_percent,
        simulated=client.simulated,
    )


def _end(lease: Lease) -> str:
    if lease.ended_at is None:
        return ""
    return f"{lease.end_reason or 'ended'} ({lease.ended_at:%Y-%m-%d %H:%M} UTC at the latest)"
