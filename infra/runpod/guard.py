"""What bills at Runpod and is ours, and what of it must end. Pure: by what was listed and what the journal says."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from infra.budget import HOURS_A_MONTH
from infra.journal import Lease
from infra.naming import resource_name
from infra.runpod.owner import GONE
from infra.runpod.rent import UNSURE_FOR
from infra.runpod.spec import spec_of, told_lease
from infra.runpod.storage_prices import VOLUME_USD_PER_GB_MONTH
from infra.runpod.wire import NetworkVolume, Pod

Action = Literal["end", "keep", "warn", "settle", "drop", "remove"]
"""keep: lives within its lease; warn: ours, and nobody can say until when; settle, drop: only our journal is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing of ours, and what is to be done about it."""

    action: Action
    kind: Literal["pod", "reader", "volume", "group"]
    name: str
    id: str
    stamp: str
    reason: str
    usd_per_h: float = 0.0
    """What it bills now."""
    lease_until: datetime | None = None
    gpu: str = ""
    lease: Lease | None = field(default=None, repr=False)
    """The journal's."""
    pod: Pod | None = field(default=None, repr=False)

    @property
    def bills(self) -> bool:
        """Whether the provider takes money for it."""
        return self.action in ("end", "keep", "warn", "remove")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        until = self.lease_until.isoformat() if self.lease_until else None
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "id": self.id,
            "stamp": self.stamp,
            "gpu": self.gpu,
            "usd_per_h": round(self.usd_per_h, 6),
            "lease_until": until,
            "reason": self.reason,
        }


def plan_reaping(
    pods: Sequence[Pod],
    volumes: Sequence[NetworkVolume],
    leases: Sequence[Lease],
    now: datetime,
    *,
    stamp: str | None = None,
    remove_volumes: bool = False,
) -> list[Finding]:
    """Judge everything of ours, what must end first. What is not provably ours is not even named.

    A pod is ours if it was told our spec and has the name that belongs to it, or if the journal knows its id; a name
    alone proves nothing. A volume is ours if the journal, or a pod of ours, knows its id.

    Args:
        pods: all of the account.
        volumes: all of the account.
        leases: the journal's of this account, and of no other.
        stamp: only of this stack.
        remove_volumes: also remove volumes, which hold runs: only those of `stamp`, only when no pod is on them.
    """
    living = [pod for pod in pods if pod.status != GONE]
    found = [one for one in (_judge_pod(pod, leases, now) for pod in living) if one is not None]
    ours = {one.name for one in found} | {volume.name for volume in volumes}
    found += _judge_leases(ours, {pod.id for pod in living} | {volume.id for volume in volumes}, leases, now)
    on_the_way = {one.stamp for one in found if one.action == "keep" and not one.id}
    found += _judge_volumes(
        volumes, living, leases, stamp=stamp, remove=remove_volumes and stamp not in on_the_way
    )
    order = ("end", "warn", "remove", "keep", "settle", "drop")
    return sorted(
        (one for one in found if stamp in (None, one.stamp)),
        key=lambda one: (order.index(one.action), one.kind, one.name, one.id),
    )


def month_usd(volume: NetworkVolume) -> float:
    """What a volume costs a month, at the dearer of its rates."""
    return volume.size_gb * VOLUME_USD_PER_GB_MONTH


def _judge_pod(pod: Pod, leases: Sequence[Lease], now: datetime) -> Finding | None:
    told = spec_of(pod.env)
    if told is not None and not pod.name.startswith(f"{told.stamp}-"):
        told = None
    lease = next((one for one in reversed(leases) if one.id == pod.id), None)
    if lease is None and told is None:
        return None
    mine = told.stamp if told is not None else lease.stamp if lease is not None else ""
    if lease is None:
        # The answer to its create never came: this is what it would have told.
        lease = next((one for one in reversed(leases) if not one.id and one.name == pod.name), None)
    until = _told(pod) or (lease.lease_until if lease is not None else None)
    action, reason = _verdict(pod, until, lease, now)
    return Finding(
        action=action,
        kind="reader" if pod.gpu_id is None else "pod",
        name=pod.name,
        id=pod.id,
        stamp=mine,
        reason=reason,
        usd_per_h=pod.cost_usd_per_h,
        lease_until=until,
        gpu=gpu_name(pod),
        lease=lease,
        pod=pod,
    )


def _verdict(
    pod: Pod, until: datetime | None, lease: Lease | None, now: datetime
) -> tuple[Literal["end", "keep", "warn"], str]:
    if until is None:
        return (
            "warn",
            "is ours, and nobody knows until when it may live; end it in the console, or with `down`",
        )
    if until <= now:
        return "end", f"its lease ran out {_ago(now - until)} ago"
    left = f"its lease ends in {_ago(until - now)}"
    if lease is not None and lease.ended_at is not None:
        return "warn", f"the journal says that it ended ({lease.end_reason}), and it still bills; {left}"
    return "keep", left if pod.status == "RUNNING" else f"{pod.status}, {left}"


def _judge_volumes(
    volumes: Sequence[NetworkVolume],
    pods: Sequence[Pod],
    leases: Sequence[Lease],
    *,
    stamp: str | None,
    remove: bool,
) -> Iterator[Finding]:
    stamps = _volume_stamps(pods, leases)
    # The answer to its create never came: a lease that was written before speaks of it.
    stamps |= {
        v.id: one.stamp for v in volumes for one in leases if _waits_for(one, v) and v.id not in stamps
    }
    known = {one for one in (stamp, *stamps.values(), *(lease.stamp for lease in leases)) if one}
    names = {resource_name("runpod", one, "volume"): one for one in known}
    for volume in volumes:
        mine = stamps.get(volume.id)
        on_it = [pod.name for pod in pods if pod.volume_id == volume.id]
        costs = f"{volume.size_gb} GB in {volume.data_center}, about ${month_usd(volume):.2f} a month"
        action: Action = "keep"
        if mine is None and volume.name in names:
            action = "warn"
            costs += "; its name is ours, but nothing of ours knows it: `up` takes it up, the console ends it"
        elif mine is None:
            continue
        elif remove and stamp == mine and not on_it:
            action = "remove"
        elif remove and stamp == mine:
            costs += f"; not removed, {on_it[0]} is on it"
        yield Finding(
            action=action,
            kind="volume",
            name=volume.name,
            id=volume.id,
            stamp=mine or names[volume.name],
            reason=costs,
            usd_per_h=month_usd(volume) / HOURS_A_MONTH,
            lease=next((one for one in leases if one.id == volume.id or _waits_for(one, volume)), None),
        )


def _waits_for(lease: Lease, volume: NetworkVolume) -> bool:
    """Whether it was written for a volume of this name, whose id nobody has told yet."""
    open_ = lease.kind == "volume" and not lease.id and lease.ended_at is None
    return open_ and lease.name == volume.name


def _volume_stamps(pods: Sequence[Pod], leases: Sequence[Lease]) -> dict[str, str]:
    """Volume id to stamp, by whatever of ours knows of it."""
    found: dict[str, str] = {}
    for pod in pods:
        told = spec_of(pod.env)
        if told is not None and told.volume_id and pod.name.startswith(f"{told.stamp}-"):
            found[told.volume_id] = told.stamp
    for lease in leases:
        known = lease.id if lease.kind == "volume" else lease.spec.get("volume_id")
        if known:
            found[str(known)] = lease.stamp
    return found


def _judge_leases(
    names: Set[str], there: Set[str], leases: Sequence[Lease], now: datetime
) -> Iterator[Finding]:
    """Leases that nobody has seen end and that nothing lists any more, neither by `names` of ours nor by id."""
    for lease in leases:
        if lease.ended_at is not None or lease.id in there or (not lease.id and lease.name in names):
            continue
        action: Action = "settle"
        reason = "it is gone; its dollars are settled"
        if not lease.id:
            young = now - lease.rented_at < UNSURE_FOR
            action = "keep" if young else "drop"
            reason = "may still be on its way" if young else "was never rented"
        yield Finding(
            action=action,
            kind=lease.kind,
            name=lease.name,
            id=lease.id,
            stamp=lease.stamp,
            reason=reason,
            lease_until=lease.lease_until,
            lease=lease,
        )


def _told(pod: Pod) -> datetime | None:
    try:
        return told_lease(pod.env)
    except (OverflowError, OSError):  # a number that is no time
        return None


def gpu_name(pod: Pod) -> str:
    """Its GPUs as people call them; empty for a CPU pod."""
    if pod.gpu_id is None:
        return ""
    name = pod.gpu_id.removeprefix("NVIDIA ").removeprefix("GeForce ")
    return name if pod.gpu_count == 1 else f"{pod.gpu_count} x {name}"


def _ago(span: timedelta) -> str:
    """A stretch of time in the two units that matter."""
    minutes = int(span.total_seconds() // 60)
    days, rest = divmod(minutes, 24 * 60)
    if days:
        return f"{days} d {rest // 60} h"
    hours, minutes = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
