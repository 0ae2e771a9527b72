"""Ends at Runpod what the guard says must end: by the journal and the API alone, no stack and no engine needed.

One by one and by id; each end is proven, and an error of one never keeps the next alive.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from infra.reaping import Reaped
from infra.runpod.errors import CancelledError, RunpodError
from infra.runpod.guard import Action, Finding, plan_reaping
from infra.runpod.owner import GONE, is_ours
from infra.runpod.rent import Renter

LOOKS, LOOK_PAUSE_S = 5, 2.0
"""A pod whose end was asked for may be there a little longer (an assumption)."""


def look(renter: Renter, *, stamp: str | None = None, remove_volumes: bool = False) -> list[Finding]:
    """`plan_reaping` of what the account lists now.

    Raises:
        RunpodError: it cannot be asked.
    """
    # The journal first: what is rented while we look is then in the list and perhaps unknown, never known and missing.
    leases = renter.journal.leases(account=renter.client.address)
    pods, volumes = renter.client.pods(), renter.client.volumes()
    return plan_reaping(pods, volumes, leases, renter.now(), stamp=stamp, remove_volumes=remove_volumes)


def reap(renter: Renter, findings: Sequence[Finding]) -> Iterator[Reaped[Finding]]:
    """Do what findings ask for, one after the other; an error of one is told and the next is done.

    Raises:
        CancelledError: whoever asked wants no more of it.
    """
    for one in findings:
        try:
            done = DOES[one.action](renter, one)
        except CancelledError:
            raise
        except RunpodError as error:
            yield Reaped(finding=one, error=str(error))
        else:
            if done:
                yield Reaped(finding=one)


def _end_pod(renter: Renter, one: Finding) -> bool:
    assert one.pod is not None
    lease = one.lease
    if lease is None and is_ours(one.pod):
        lease = renter.lease_of(one.pod, None)
    renter.client.delete_pod(one.id)
    _prove_gone(renter, one)
    # What another machine rented stands in its journal, not here; it ends all the same.
    if lease is not None:
        price = one.pod.cost_usd_per_h or lease.price_usd_per_h
        renter.journal.change(
            lease, id=one.id, price_usd_per_h=price, ended_at=renter.now(), end_reason=f"reaped: {one.reason}"
        )
    return True


def _prove_gone(renter: Renter, one: Finding) -> None:
    for look in range(LOOKS):
        if look:
            renter.sleep(LOOK_PAUSE_S)
        if renter.client.pod(one.id) is None:
            return
    raise RunpodError(
        f"pod {one.id} ({one.name}) is still there after its end was asked for; run `python -m stacks reap` again, "
        "or end it in the console"
    )


def _remove_volume(renter: Renter, one: Finding) -> bool:
    # Another may have rented meanwhile.
    if any(pod.volume_id == one.id for pod in renter.client.pods() if pod.status != GONE):
        raise RunpodError(f"volume {one.id} ({one.name}) has a pod on it now; it is left as it is")
    renter.client.delete_volume(one.id)
    if renter.client.volume(one.id) is not None:
        raise RunpodError(f"volume {one.id} ({one.name}) is still there after its removal was asked for")
    if one.lease is not None:
        renter.journal.change(one.lease, ended_at=renter.now(), end_reason="reaped with its run")
    return True


def _settle(renter: Renter, one: Finding) -> bool:
    assert one.lease is not None
    if one.kind == "volume":
        gone = renter.client.volume(one.id) is None
        if gone:
            renter.journal.change(one.lease, ended_at=renter.now(), end_reason="it was gone when we looked")
        return gone
    # A list may lag behind what was rented a moment ago (an assumption): by its id, once more.
    gone = renter.client.pod(one.id) is None
    if gone:
        renter.settle(one.lease, "it was gone when we looked")
    return gone


def _drop(renter: Renter, one: Finding) -> bool:
    assert one.lease is not None
    renter.journal.drop(one.lease)
    return True


def _claim(renter: Renter, one: Finding) -> bool:
    """A lease whose answer was lost gets the id of what came of it."""
    if one.lease is None or one.lease.id:
        return False
    if one.pod is not None and is_ours(one.pod):
        renter.lease_of(one.pod, one.lease)
    elif one.kind == "volume" and one.id:
        renter.journal.change(one.lease, id=one.id)
    return False


# Each says whether it did what was to be done.
DOES: Mapping[Action, Callable[[Renter, Finding], bool]] = {
    "end": _end_pod,
    "remove": _remove_volume,
    "settle": _settle,
    "drop": _drop,
    "keep": _claim,
    "warn": _claim,
}
