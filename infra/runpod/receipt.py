"""A stack's receipt from Runpod: what ended by the journal, what is left by the list, what it cost by the bills."""

from infra.budget import HOURS_A_MONTH
from infra.ended import ended_of, ended_since
from infra.journal import Lease
from infra.reaping import left_of
from infra.receipt import Ended, Receipt, last_clean
from infra.runpod.errors import CancelledError, RunpodError
from infra.runpod.guard import plan_reaping
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
        left=tuple(left_of(one) for one in ours if one.stamp == stamp),
        listed={
            "pods": (sum(one.kind != "volume" and bool(one.id) for one in ours), len(pods)),
            "volumes": (sum(one.kind == "volume" for one in ours), len(volumes)),
        },
        worst_case_usd=worst_case_usd,
        notes=tuple(dict.fromkeys(notes)),
    )


def _ended(lease: Lease, billed_usd: float | None) -> Ended:
    disk = float(lease.spec.get("disk_gib") or 0) * DISK_USD_PER_GB_MONTH / HOURS_A_MONTH
    return ended_of(lease, billed_usd, disk_usd_per_h=disk)


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
