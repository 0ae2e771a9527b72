"""A stack's receipt where a cloud's own provider rents: the journal's ended leases, and what the cloud lists."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from infra.ended import ended_of, ended_since
from infra.journal import Journal
from infra.reaping import left_of
from infra.receipt import Left, Receipt, last_clean
from infra.vm.reaper import Finding


def vm_receipt(
    cloud: str,
    account: str,
    *,
    stack: str,
    stamp: str,
    living: Sequence[Finding],
    parts: Sequence[Left],
    listed: Mapping[str, int],
    billed: Callable[[datetime | None], float | None],
    worst_case_usd: float | None,
    notes: list[str],
    journal: Journal,
) -> Receipt:
    """Of one stack, from its last clean end to now.

    Args:
        living: machines that bill.
        parts: whatever else is there and should not be.
        listed: kind to how many the account lists of the stack.
        billed: asks the cloud for its bill since a time, None if nothing was rented; may add to the notes.
    """
    ended = ended_since(journal.leases(account=account, stamp=stamp), last_clean(stamp, account))
    usd = billed(min((one.rented_at for one in ended), default=None))
    # The bill is of the whole stack, so it stands beside the first of what ended and is asked for once.
    return Receipt(
        cloud=cloud,
        account=account,
        simulated=False,
        stack=stack,
        stamp=stamp,
        at=datetime.now(UTC).replace(microsecond=0),
        ended=tuple(ended_of(lease, usd if n == 0 else None) for n, lease in enumerate(ended)),
        left=(*(left_of(one) for one in living), *parts),
        listed={kind: (count, count) for kind, count in listed.items()},
        worst_case_usd=worst_case_usd,
        notes=tuple(notes),
    )


def part_left(kind: str, name: str, id_: str) -> Left:
    """A part that carries the stack's mark still."""
    return Left(
        kind=kind,
        name=name,
        id=id_,
        usd_per_h=0.0,
        until=None,
        reason="carries the stack's tag still; `down` again, or remove it in the console",
    )
