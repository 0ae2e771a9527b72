"""What an `up` that was killed left, and no state knows of: ended where it is certain that no run is on it."""

from infra.journal import Lease
from infra.runpod.rent import Renter

REASON = "left by an `up` that was killed"


def open_leases(renter: Renter, stamp: str) -> list[Lease]:
    """The stack's leases that nobody has seen end and on which no run can be, pods before volumes.

    For after a destroy that the state says is complete: what it had known of is gone by then.
    """
    leases = renter.journal.leases(account=renter.client.address, stamp=stamp)
    found = [one for one in leases if one.ended_at is None and not _was_used(leases, one)]
    return sorted(found, key=lambda one: one.kind == "volume")


def end_leftovers(renter: Renter, stamp: str) -> list[str]:
    """End the stack's pods that were never ready, and its volumes on which none ever was; their names.

    Raises:
        RunpodError: the service refuses or does not answer.
    """
    ended = []
    for lease in open_leases(renter, stamp):
        was_there = _end_volume(renter, lease) if lease.kind == "volume" else _end_pod(renter, lease)
        if was_there:
            ended.append(lease.name)
    return ended


def _end_pod(renter: Renter, lease: Lease) -> bool:
    renter.give_back(lease.name, REASON)
    newest = renter.journal.newest(renter.client.address, lease.name)
    return newest is not None and newest.end_reason == REASON


def _end_volume(renter: Renter, lease: Lease) -> bool:
    volume = renter.client.volume_named(lease.name)
    if volume is not None:
        renter.refuse_shared(volume.id)
        renter.client.delete_volume(volume.id)
    if lease.id or volume is not None:
        id_ = volume.id if volume else lease.id
        renter.journal.change(lease, id=id_, ended_at=renter.now(), end_reason=REASON)
    else:
        renter.journal.drop(lease)
    return volume is not None


def _was_used(leases: list[Lease], lease: Lease) -> bool:
    """Whether a pod was ever ready there: its address is known from then on."""
    if lease.kind != "volume":
        return bool(lease.address)
    return any(one.kind == "pod" and one.address and one.rented_at >= lease.rented_at for one in leases)
