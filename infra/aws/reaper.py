"""Ends on AWS what carries our mark and has outlived its lease: by tags alone, no stack and no engine needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from infra.aws.account import client
from infra.aws.group import SIZE_OF_NONE
from infra.aws.owned import OwnedGroup, OwnedMachine, owned_groups, owned_machines
from infra.aws.refusal import asked
from infra.errors import InfraError
from infra.journal import Journal, Lease
from infra.reaping import Reaped

Action = Literal["end", "keep", "warn", "settle"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing of ours, and what is to be done about it; shaped as Runpod's."""

    action: Action
    kind: Literal["group", "machine"]
    name: str
    id: str
    stamp: str
    reason: str
    region: str
    usd_per_h: float = 0.0
    """Its ceiling, as this machine's journal has it; 0 where it does not know."""
    lease_until: datetime | None = None
    gpu: str = ""
    """The types."""

    @property
    def bills(self) -> bool:
        """Whether AWS takes money for it."""
        return self.action != "settle"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        until = self.lease_until.isoformat() if self.lease_until else None
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "id": self.id,
            "stamp": self.stamp,
            "region": self.region,
            "gpu": self.gpu,
            "usd_per_h": round(self.usd_per_h, 6),
            "lease_until": until,
            "reason": self.reason,
        }


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
    prices = {lease.name: lease.price_usd_per_h for lease in leases}
    found = [_of_group(one, prices, region, now) for one in groups if one.bills]
    living = {one.name for one in groups if one.bills}
    found += [_of_machine(one, region, now) for one in machines if one.group not in living]
    empty = {one.name for one in groups} - living
    for lease in leases:
        if lease.ended_at is None and lease.name not in living and (lease.name in empty or _over(lease, now)):
            found.append(
                Finding(
                    action="settle", kind="group", name=lease.name, id=lease.id, stamp=lease.stamp, region=region,
                    reason="it has no machine any more", lease_until=lease.lease_until,
                )
            )  # fmt: skip
    return found


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
    """Do what findings ask for, one after the other; an error of one is told and the next is done."""
    journal = journal or Journal()
    for one in findings:
        if one.action not in DOES:
            continue
        try:
            DOES[one.action](one)
        except InfraError as error:
            yield Reaped(finding=one, error=str(error))
            continue
        lease = journal.living(account, one.name)
        if lease is not None:
            journal.change(lease, ended_at=datetime.now(UTC), end_reason=f"reaped: {one.reason}")
        yield Reaped(finding=one)


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


def _settle(_: Finding) -> None:
    """Only our own journal is wrong."""


DOES = {"end": _end, "settle": _settle}


def _of_group(one: OwnedGroup, prices: Mapping[str, float], region: str, now: datetime) -> Finding:
    action, reason = _judge(one.lease_until, now)
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
    action, reason = _judge(one.lease_until, now)
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


def _judge(lease_until: datetime | None, now: datetime) -> tuple[Action, str]:
    if lease_until is None:
        return "warn", "carries our stamp but no lease; look at it in the console"
    until = f"{lease_until:%Y-%m-%d %H:%M %Z}"
    if now >= lease_until:
        return "end", f"its lease was over at {until}"
    return "keep", f"its lease runs until {until}"


def _over(lease: Lease, now: datetime) -> bool:
    return lease.lease_until is not None and now >= lease.lease_until
