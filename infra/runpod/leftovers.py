"""What an `up` that was killed left, and no state knows of: ended where it is certain that nothing lies on it."""

from infra.journal import Lease
from infra.runpod.rent import Renter


def end_empty_volumes(renter: Renter, stamp: str) -> list[str]:
    """End the stack's volumes on which no pod was ever ready, and so no run; their names.

    For after a destroy that the state says is complete: a volume that it had known of is gone by then.

    Raises:
        RunpodError: the service refuses or does not answer.
    """
    leases = renter.journal.leases(account=renter.client.address, stamp=stamp)
    ended = []
    for lease in leases:
        if lease.kind != "volume" or lease.ended_at is not None or _was_used(leases, lease):
            continue
        volume = renter.client.volume_named(lease.name)
        if volume is not None:
            renter.client.delete_volume(volume.id)
            ended.append(lease.name)
        if lease.id or volume is not None:
            renter.journal.change(
                lease,
                id=volume.id if volume else lease.id,
                ended_at=renter.now(),
                end_reason="empty, and of no state",
            )
        else:
            renter.journal.drop(lease)
    return ended


def _was_used(leases: list[Lease], volume: Lease) -> bool:
    return any(one.kind == "pod" and one.address and one.rented_at >= volume.rented_at for one in leases)
