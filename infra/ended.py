"""What a stack's leases that are over came to, for its receipt. Pure; knows no cloud."""

from collections.abc import Sequence
from datetime import datetime

from infra.journal import Lease
from infra.receipt import Ended


def ended_since(leases: Sequence[Lease], since: datetime | None) -> list[Lease]:
    """Leases of things that were there and are no more, and that no clean receipt has told of yet."""
    told = (one for one in leases if one.id and one.ended_at is not None)
    fresh = (one for one in told if since is None or (one.ended_at or since) > since)
    return sorted(fresh, key=lambda one: (one.rented_at, one.kind, one.name))


def ended_of(lease: Lease, billed_usd: float | None, *, disk_usd_per_h: float = 0.0) -> Ended:
    """A lease as a receipt has it: hours by our clock, dollars by its price and its disk's."""
    assert lease.ended_at is not None
    hours = max(0.0, (lease.ended_at - lease.rented_at).total_seconds() / 3600)
    worst = 0.0
    if lease.lease_until is not None:
        ceiling = max(float(lease.spec.get("max_usd_per_h") or 0), lease.price_usd_per_h)
        worst = (ceiling + disk_usd_per_h) * (lease.lease_until - lease.rented_at).total_seconds() / 3600
    return Ended(
        kind=lease.kind,
        name=lease.name,
        id=lease.id,
        hours=hours,
        clock_usd=hours * (lease.price_usd_per_h + disk_usd_per_h),
        worst_usd=worst,
        billed_usd=billed_usd,
        reason=lease.end_reason,
    )
