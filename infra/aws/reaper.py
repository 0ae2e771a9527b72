"""Ends on AWS what carries our mark and has outlived its lease: by tags alone, no stack and no engine needed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from infra.aws.account import client
from infra.aws.group import SIZE_OF_NONE
from infra.aws.owned import OwnedGroup, OwnedMachine, owned_groups, owned_machines
from infra.aws.refusal import asked
from infra.journal import Journal, Lease
from infra.reaping import Reaped
from infra.vm.reaper import Finding, judge, prices_of, to_settle
from infra.vm.reaper import reap as end_each

__all__ = ["Finding", "look", "plan_reaping", "reap"]


def plan_reaping(
    groups: Sequence[OwnedGroup],
    machines: Sequence[OwnedMachine],
    leases: Sequence[Lease],
    *,
    region: str,
    now: datetime,
) -> list[Finding]:
    """What to end, what to leave, what to look at. Pure.

    A group that rents nothing any more costs nothing, and is the stack's to remove. What has no time in its tags is
    never ended: somebody may have made it by hand.
    """
    prices = prices_of(leases)
    found = [_of_group(one, prices, region, now) for one in groups if one.bills]
    living = {one.name for one in groups if one.bills}
    found += [_of_machine(one, region, now) for one in machines if one.group not in living]
    empty = {one.name for one in groups} - living
    return found + to_settle(leases, living, empty, kind="group", region=region, now=now)


def look(
    region: str, account: str, *, stamp: str | None = None, journal: Journal | None = None
) -> list[Finding]:
    """`plan_reaping` of what AWS lists now.

    Args:
        account: as the journal names it: aws:ID:REGION.

    Raises:
        AwsError: AWS does not tell.
    """
    leases = (journal or Journal()).leases(account=account, stamp=stamp)
    return plan_reaping(
        owned_groups(region, stamp),
        owned_machines(region, stamp),
        leases,
        region=region,
        now=datetime.now(UTC),
    )


def reap(
    findings: Sequence[Finding], account: str, *, journal: Journal | None = None
) -> Iterator[Reaped[Finding]]:
    """See `infra.vm.reaper.reap`."""
    return end_each(findings, account, _end, journal=journal)


def _end(one: Finding) -> None:
    if one.kind == "group":
        scaling = client("autoscaling", one.region)
        asked(
            lambda: scaling.update_auto_scaling_group(AutoScalingGroupName=one.name, **SIZE_OF_NONE),
            f"the end of group {one.name}",
            missing=None,
        )
        return
    ec2 = client("ec2", one.region)
    asked(lambda: ec2.terminate_instances(InstanceIds=[one.id]), f"the end of machine {one.id}", missing=None)


def _of_group(one: OwnedGroup, prices: Mapping[str, float], region: str, now: datetime) -> Finding:
    action, reason = judge(one.lease_until, now)
    return Finding(
        action=action,
        kind="group",
        name=one.name,
        id=", ".join(one.machines) or one.name,
        stamp=one.stamp,
        reason=reason,
        region=region,
        usd_per_h=prices.get(one.name, 0.0),
        lease_until=one.lease_until,
        gpu=", ".join(one.types),
    )


def _of_machine(one: OwnedMachine, region: str, now: datetime) -> Finding:
    action, reason = judge(one.lease_until, now)
    return Finding(
        action=action,
        kind="machine",
        name=one.group or one.id,
        id=one.id,
        stamp=one.stamp,
        reason=reason,
        region=region,
        lease_until=one.lease_until,
        gpu=one.type_name,
    )
