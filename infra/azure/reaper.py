"""Ends on Azure what carries our mark and has outlived its lease: by tags alone, no stack and no engine needed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from infra.azure.arm import Arm
from infra.azure.owned import COMPUTE, OwnedMachine, owned_machines
from infra.journal import Journal, Lease
from infra.reaping import Reaped
from infra.vm.reaper import Finding, judge, prices_of, to_settle
from infra.vm.reaper import reap as end_each

__all__ = ["Finding", "end_leftovers", "end_machine", "look", "plan_reaping", "reap"]


def plan_reaping(
    machines: Sequence[OwnedMachine], leases: Sequence[Lease], *, location: str, now: datetime
) -> list[Finding]:
    """What to end, what to leave, what to look at. Pure.

    A machine that is off bills too, so that every one that is listed counts; one that goes already needs no word.
    """
    prices = prices_of(leases)
    here = [one for one in machines if one.state != "Deleting"]
    found = []
    for one in here:
        action, reason = judge(one.lease_until, now)
        found.append(
            Finding(
                action=action, kind="machine", name=one.name, id=one.id, stamp=one.stamp, reason=reason,
                region=one.location, usd_per_h=prices.get(one.name, 0.0), lease_until=one.lease_until,
                gpu=one.type_name,
            )
        )  # fmt: skip
    going = {one.name for one in machines if one.state == "Deleting"}
    living = {one.name for one in here}
    return found + to_settle(leases, living, going, kind="machine", region=location, now=now)


def look(
    arm: Arm,
    subscription_id: str,
    location: str,
    account: str,
    *,
    stamp: str | None = None,
    journal: Journal | None = None,
) -> list[Finding]:
    """`plan_reaping` of what Azure lists now.

    Args:
        account: as the journal names it: azure:ID:LOCATION.

    Raises:
        AzureError: Azure does not tell.
    """
    leases = (journal or Journal()).leases(account=account, stamp=stamp)
    machines = owned_machines(arm, subscription_id, location, stamp)
    return plan_reaping(machines, leases, location=location, now=datetime.now(UTC))


def reap(
    arm: Arm, findings: Sequence[Finding], account: str, *, journal: Journal | None = None
) -> Iterator[Reaped[Finding]]:
    """See `infra.vm.reaper.reap`."""
    return end_each(findings, account, lambda one: end_machine(arm, one.id), journal=journal)


def end_leftovers(arm: Arm, subscription_id: str, stamp: str) -> list[str]:
    """End the stack's machines that are there still after a whole destroy: no state knew of them; their names.

    The run is none of theirs to lose: it lies in the storage.

    Raises:
        AzureError: Azure refuses, or does not tell.
    """
    left = [one for one in owned_machines(arm, subscription_id, None, stamp) if one.state != "Deleting"]
    for one in left:
        end_machine(arm, one.id)
    return [one.name for one in left]


def end_machine(arm: Arm, machine_id: str) -> None:
    """Have a machine go, with its disk and its network card, which were made to go with it; fine if it is gone.

    Raises:
        AzureError: Azure refuses.
    """
    # Forced: no need to wait for a clean stop of what has had its SIGTERM, or hangs. rest/api/compute, Delete.
    arm.delete(machine_id, COMPUTE, "the end of the machine", forceDeletion="true")
