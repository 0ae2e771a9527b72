"""What a stack's end came to: ended, left, forecast and bill. Pure but for the files it is kept in; knows no cloud."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.state_folder import state_folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """Something that billed and does no more."""

    kind: str
    name: str
    id: str
    hours: float
    """By our clock."""
    clock_usd: float
    """Hours by price."""
    worst_usd: float
    """What it could have cost to its lease's end; 0 for storage."""
    billed_usd: float | None
    """By the provider's records; None while it has none of it."""
    reason: str

    def line(self) -> str:
        """For people."""
        billed = "no bill yet" if self.billed_usd is None else f"${self.billed_usd:.2f} billed"
        return (
            f"  {self.kind} {self.name} ({self.id}): {self.hours:.2f} h, ${self.clock_usd:.2f} by our clock, "
            f"{billed}; {self.reason}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Something of the stack that the provider still lists."""

    kind: str
    name: str
    id: str
    usd_per_h: float
    until: datetime | None
    """End of its lease; None for what bills until somebody removes it."""
    reason: str

    def line(self) -> str:
        """For people."""
        price = f"${self.usd_per_h:.4f}" if self.usd_per_h < 0.01 else f"${self.usd_per_h:.2f}"
        until = f"until {self.until:%Y-%m-%d %H:%M %Z} at the latest" if self.until else "until it is removed"
        return (
            f"  {self.kind} {self.name} ({self.id or 'no id yet'}): {price} an hour, {until}; {self.reason}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """Of one stack, from its last clean end to now."""

    cloud: str
    account: str
    """Address of the API that was asked."""
    simulated: bool
    stack: str
    stamp: str
    at: datetime
    ended: tuple[Ended, ...]
    left: tuple[Left, ...]
    listed: Mapping[str, tuple[int, int]]
    """Kind to how many the account lists: ours of any stack, and in all."""
    worst_case_usd: float | None = None
    """What `up` said that it can cost at most; None where only the leases tell."""
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the provider lists nothing of the stack any more."""
        return not self.left

    @property
    def clock_usd(self) -> float:
        """Of all that ended."""
        return sum(one.clock_usd for one in self.ended)

    @property
    def billed_usd(self) -> float | None:
        """As far as the provider's records go; None where there are none yet."""
        known = [one.billed_usd for one in self.ended if one.billed_usd is not None]
        return sum(known) if known else None

    @property
    def at_most_usd(self) -> float:
        """The forecast that all this is held against: one lease's worst case, or that of all leases there were."""
        return max(self.worst_case_usd or 0.0, sum(one.worst_usd for one in self.ended))

    def lines(self) -> list[str]:
        """For people."""
        mark = "SIMULATED " if self.simulated else ""
        lines = [f"{mark}receipt of stack {self.stack}, {self.at:%Y-%m-%d %H:%M %Z}"]
        lines += ["ended:", *(one.line() for one in self.ended)] if self.ended else ["ended: nothing"]
        if self.ended:
            lines.append(
                f"forecast: at most ${self.at_most_usd:.2f}, ${self.clock_usd:.2f} by our clock; "
                f"{self.cloud}'s bill: {self._bill()}"
            )
        lines.append(
            "the account lists: "
            + ", ".join(
                f"{ours} {kind} of ours and {every} in all" for kind, (ours, every) in self.listed.items()
            )
        )
        lines += [f"note: {note}" for note in self.notes]
        if self.clean:
            return [*lines, f"{mark}nothing of stack {self.stack} is left that bills"]
        return [*lines, f"{mark}STILL BILLS:", *(one.line() for one in self.left)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self),
            "at": self.at.isoformat(),
            "left": [
                {**asdict(one), "until": one.until.isoformat() if one.until else None} for one in self.left
            ],
            "listed": {kind: {"ours": ours, "in_all": every} for kind, (ours, every) in self.listed.items()},
            "clean": self.clean,
            "at_most_usd": self.at_most_usd,
            "clock_usd": self.clock_usd,
            "billed_usd": self.billed_usd,
        }

    def _bill(self) -> str:
        missing = [one.name for one in self.ended if one.billed_usd is None]
        if self.billed_usd is None:
            return "not in yet"
        return f"${self.billed_usd:.2f}" + (f" so far, not in yet: {', '.join(missing)}" if missing else "")


def receipt_beside(home: Path) -> Path:
    """Where a run's receipt lies: beside its folder, whose manifest lists every file within."""
    return home.with_name(f"{home.name}.receipt.json")


def keep_receipt(receipt: Receipt, home: Path | None = None) -> Path:
    """Write it into this machine's state, and beside the run's home where it is given; where it lies for good."""
    text = json.dumps(receipt.as_dict(), indent=1) + "\n"
    path = _folder() / f"{receipt.stamp}-{receipt.at:%Y%m%dT%H%M%S}.json"
    _write(path, text)
    if home is not None and home.parent.is_dir():
        _write(receipt_beside(home), text)
    return path


def last_clean(stamp: str, account: str) -> datetime | None:
    """When a stack's last receipt said that nothing was left; what was rented before stands there."""
    found = []
    for path in _folder().glob(f"{stamp}-*.json"):
        try:
            told = json.loads(path.read_text())
            if told["clean"] and told["account"] == account and told["stamp"] == stamp:
                found.append(datetime.fromisoformat(told["at"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged one only makes the next one longer
    return max(found, default=None)


def _folder() -> Path:
    folder = state_folder() / "receipts"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text)
    unfinished.replace(path)
