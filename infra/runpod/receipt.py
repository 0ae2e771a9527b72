"""A stack's receipt from Runpod: what ended by the journal, what is left by the list, what it cost by the bills."""

from collections.abc import Sequence
from datetime import datetime

from infra.budget import HOURS_A_MONTH
from infra.journal import Lease
from infra.receipt import Ended, Left, Receipt, last_clean
from infra.runpod.errors import CancelledError, RunpodError
from infra.runpod.guard import Finding, plan_reaping
from infra.runpod.reaper import reap
from infra.runpod.rent import Renter
from infra.runpod.storage_prices import DISK_USD_PER_GB_MONTH

BILLS_GO_BACK_DAYS = 30


def receipt_of(renter: Renter, *, stack: str, stamp: str, worst_case_usd: float | None = None) -> Receipt:
    """Ask the account what is left of a stack and what it was billed; the journal is brought up to date before.

    Args:
        worst_case_usd: what `up` said; the leases' own worst case where None.

    Raises:
        RunpodError: the account cannot be asked, so that nothing may be said of it.
    """
    client, journal = renter.client, renter.journal
    pods, volumes = client.pods(), client.volumes()
    leases = journal.leases(account=client.address)
    found = plan_reaping(pods, volumes, leases, renter.now())
    stale = [one for one in found if one.stamp == stamp and one.action in ("settle", "drop")]
    notes = [one.error for one in reap(renter, stale) if one.error]
    ours = [one for one in found if one.bills]
    since = last_clean(stamp, client.address)
    ended = ended_since(journal.leases(account=client.address, stamp=stamp), since)
    bills = [_billed(renter, lease, notes) for lease in ended]
    return Receipt(
        cloud="Runpod",
        account=client.address,
        simulated=client.simulated,
        stack=stack,
        stamp=stamp,
        at=renter.now(),
        ended=tuple(_ended(lease, bill) for lease, bill in zip(ended, bills, strict=True)),
        left=tuple(left(one) for one in ours if one.stamp == stamp),
        listed={
            "pods": (sum(one.kind != "volume" and bool(one.id) for one in ours), len(pods)),
            "volumes": (sum(one.kind == "volume" for one in ours), len(volumes)),
        },
        worst_case_usd=worst_case_usd,
        notes=tuple(dict.fromkeys(notes)),
    )


def ended_since(leases: Sequence[Lease], since: datetime | None) -> list[Lease]:
    """Leases of things that were there and are no more, and that no clean receipt has told of yet."""
    told = (one for one in leases if one.id and one.ended_at is not None)
    fresh = (one for one in told if since is None or (one.ended_at or since) > since)
    return sorted(fresh, key=lambda one: (one.rented_at, one.kind, one.name))


def left(one: Finding) -> Left:
    """A finding as a receipt has it."""
    return Left(
        kind=one.kind,
        name=one.name,
        id=one.id,
        usd_per_h=one.usd_per_h,
        until=one.lease_until,
        reason=one.reason,
    )


def _ended(lease: Lease, billed_usd: float | None) -> Ended:
    assert lease.ended_at is not None
    hours = max(0.0, (lease.ended_at - lease.rented_at).total_seconds() / 3600)
    disk = float(lease.spec.get("disk_gib") or 0) * DISK_USD_PER_GB_MONTH / HOURS_A_MONTH
    worst = 0.0
    if lease.lease_until is not None:
        ceiling = max(float(lease.spec.get("max_usd_per_h") or 0), lease.price_usd_per_h)
        worst = (ceiling + disk) * (lease.lease_until - lease.rented_at).total_seconds() / 3600
    return Ended(
        kind=lease.kind,
        name=lease.name,
        id=lease.id,
        hours=hours,
        clock_usd=hours * (lease.price_usd_per_h + disk),
        worst_usd=worst,
        billed_usd=billed_usd,
        reason=lease.end_reason,
    )


def _billed(renter: Renter, lease: Lease, notes: list[str]) -> float | None:
    """The sum of its records; None where there are none yet, or they cannot be read, which is noted."""
    days = max(BILLS_GO_BACK_DAYS, (renter.now() - lease.rented_at).days + 2)
    try:
        if lease.kind == "volume":
            records = [one.total_usd for one in renter.client.volume_bills(lease.id, last_n=days)]
        else:
            records = [one.total_usd for one in renter.client.pod_bills(lease.id, last_n=days)]
    except CancelledError:
        raise
    except RunpodError as error:
        notes.append(f"no bill: {error}")
        return None
    return sum(records) if records else None
