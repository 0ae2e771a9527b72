"""What is to become of rented machines with our mark: by their lease alone. Pure but for `reap`; knows no cloud."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

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
        """Whether the cloud takes money for it."""
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


def judge(lease_until: datetime | None, now: datetime) -> tuple[Action, str]:
    """What is past its lease ends; what has no time in its tags never does: somebody may have made it by hand."""
    if lease_until is None:
        return "warn", "carries our stamp but no lease; look at it in the console"
    until = f"{lease_until:%Y-%m-%d %H:%M %Z}"
    if now >= lease_until:
        return "end", f"its lease was over at {until}"
    return "keep", f"its lease runs until {until}"


def prices_of(leases: Sequence[Lease]) -> dict[str, float]:
    """Name to ceiling, as the journal has it."""
    return {lease.name: lease.price_usd_per_h for lease in leases}


def to_settle(
    leases: Sequence[Lease],
    living: Collection[str],
    empty: Collection[str],
    *,
    kind: Literal["group", "machine"],
    region: str,
    now: datetime,
) -> list[Finding]:
    """Leases that the journal holds for living and whose machine is gone.

    Args:
        living: names that bill.
        empty: names that are known to bill no more; of others only the lease's end tells that they do not come.
    """
    return [
        Finding(
            action="settle", kind=kind, name=lease.name, id=lease.id, stamp=lease.stamp, region=region,
            reason="it has no machine any more", lease_until=lease.lease_until,
        )
        for lease in leases
        if lease.ended_at is None and lease.name not in living and (lease.name in empty or _over(lease, now))
    ]  # fmt: skip


def reap(
    findings: Sequence[Finding],
    account: str,
    end: Callable[[Finding], None],
    *,
    journal: Journal | None = None,
) -> Iterator[Reaped[Finding]]:
    """Do what findings ask for, one after the other; an error of one is told and the next is done.

    Args:
        account: as the journal names it.
        end: asks the cloud to end one; to settle asks nobody, only our own journal is wrong.
    """
    journal = journal or Journal()
    does: Mapping[Action, Callable[[Finding], None]] = {"end": end, "settle": lambda _: None}
    for one in findings:
        if one.action not in does:
            continue
        try:
            does[one.action](one)
        except InfraError as error:
            yield Reaped(finding=one, error=str(error))
            continue
        lease = journal.living(account, one.name)
        if lease is not None:
            now = datetime.now(UTC)
            # What was ended now billed until now; what was gone already went with its lease at the latest.
            ended = lease.last_seen(now) if one.action == "settle" else now
            journal.change(lease, ended_at=ended, end_reason=f"reaped: {one.reason}")
        yield Reaped(finding=one)


def _over(lease: Lease, now: datetime) -> bool:
    return lease.lease_until is not None and now >= lease.lease_until
