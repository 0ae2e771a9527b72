"""The leases, written down on this machine before the first paid call and until their end is known.

One file a lease, so that a crash at any point spoils at most nothing: files are written whole or not at all.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from infra.errors import JournalError
from infra.state_folder import state_folder, write_whole

try:
    import fcntl
except ImportError:  # Windows: threads alone wait for each other there
    fcntl = None  # type: ignore[assignment]

_THREADS = threading.Lock()
TIMES = ("rented_at", "lease_until", "ended_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Something that bills, from before it was asked for."""

    cloud: str
    account: str
    """Address of the API: what a simulator rented is never looked for at the real service."""
    kind: Literal["pod", "reader", "volume", "group"]
    """group: of at most one machine at a time, on a cloud whose own provider rents."""
    name: str
    """Ours and unique among what lives; known before anything is rented."""
    stamp: str
    """Of the stack."""
    run: str
    """Whose dollars these are."""
    rented_at: datetime
    """When it was about to be rented."""
    lease_until: datetime | None
    """None for storage, which stays with its stack."""
    price_usd_per_h: float
    """Its ceiling until the price is known."""
    id: str = ""
    """The provider's; empty while nobody knows whether it was rented."""
    ended_at: datetime | None = None
    end_reason: str = ""
    exit_code: int | None = None
    """Of its job, once somebody saw it."""
    billed_usd: float | None = None
    """What the provider says that it cost."""
    address: str = ""
    """ssh://user@host:port, once it answered there."""
    host_key: str = ""
    open_run: str = ""
    """Path there of the run that its job writes, until it is home."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, enough to ask for it again."""

    def usd(self, now: datetime) -> float:
        """What it has cost until now: the provider's bill, or its price by the clock."""
        if self.billed_usd is not None:
            return self.billed_usd
        if not self.id:
            return 0.0
        hours = ((self.ended_at or self.last_seen(now)) - self.rented_at).total_seconds() / 3600
        return max(0.0, hours) * self.price_usd_per_h

    def last_seen(self, now: datetime) -> datetime:
        """Until when it can have billed, as long as nobody saw its end: a group's cloud ends it with its lease."""
        # What no timer of its cloud ends, a pod, bills on until somebody ends it.
        if self.kind != "group" or self.lease_until is None:
            return now
        return min(now, self.lease_until)


class Journal:
    """The leases of this machine's user."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` instead of the user's own."""
        self._folder = folder or state_folder() / "leases"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, lease: Lease) -> Lease:
        """Keep it, on the disk when this returns; the same name and hour of renting is the same lease."""
        write_whole(self._path(lease), json.dumps(_plain(lease), indent=1))
        return lease

    def change(self, lease: Lease, **changes: Any) -> Lease:
        """The lease as it is on the disk by now, with these values; others may have learnt more of it meanwhile."""
        with self._alone():
            return self.write(replace(self._load(self._path(lease)) or lease, **changes))

    def drop(self, lease: Lease) -> None:
        """Forget one under which nothing was rented."""
        self._path(lease).unlink(missing_ok=True)

    def leases(self, *, account: str | None = None, stamp: str | None = None) -> list[Lease]:
        """All of them, oldest first."""
        found = [one for one in self._read() if account in (None, one.account) and stamp in (None, one.stamp)]
        return sorted(found, key=lambda one: one.rented_at)

    def newest(self, account: str, name: str) -> Lease | None:
        """The latest lease under a name, ended or not."""
        return next((one for one in reversed(self.leases(account=account)) if one.name == name), None)

    def living(self, account: str, name: str) -> Lease | None:
        """The latest lease under a name that nobody has seen end."""
        newest = self.newest(account, name)
        return newest if newest is not None and newest.ended_at is None else None

    def spent_usd(self, account: str, stamp: str, run: str, now: datetime | None = None) -> float:
        """What all machines of a run have cost so far, storage apart."""
        now = now or datetime.now(UTC)
        ours = self.leases(account=account, stamp=stamp)
        return sum(one.usd(now) for one in ours if one.run == run and one.kind != "volume")

    def close_run(self, account: str, stamp: str, run: str) -> None:
        """From now on these dollars are of an earlier run: another one of the same name begins at 0."""
        for lease in self.leases(account=account, stamp=stamp):
            if lease.run == run and lease.kind != "volume":
                self.change(lease, run=f"{run}, closed {datetime.now(UTC):%Y-%m-%d %H:%M}")

    def _path(self, lease: Lease) -> Path:
        return self._folder / f"{lease.rented_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{lease.name}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Threads and processes change leases one after the other."""
        with _THREADS, (self._folder / ".lock").open("w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> Iterator[Lease]:
        found = (self._load(path) for path in self._folder.glob("*.json"))
        yield from (lease for lease in found if lease is not None)

    def _load(self, path: Path) -> Lease | None:
        """The lease of a file; None if it was dropped.

        Raises:
            JournalError: it is damaged.
        """
        known = {one.name for one in fields(Lease)}
        try:
            content = json.loads(path.read_text())
            values = {key: value for key, value in content.items() if key in known}
            times = {key: datetime.fromisoformat(values[key]) for key in TIMES if values.get(key)}
            return Lease(**{**values, **times})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, AttributeError) as error:
            raise JournalError(
                f"{path} is damaged ({type(error).__name__}); see in the provider's console whether its machine "
                "lives, then remove the file"
            ) from error


def _plain(lease: Lease) -> dict[str, Any]:
    values = asdict(lease)
    return {
        **values,
        "spec": dict(lease.spec),
        **{key: values[key].isoformat() for key in TIMES if values[key] is not None},
    }
