"""What a stack can cost at most, and what it will probably cost. Pure arithmetic in dollars.

The worst case takes the user's own ceiling as the machine's rate: a price table can be old, a ceiling cannot.
"""

from dataclasses import asdict, dataclass
from typing import Any

from infra.errors import SettingsError
from infra.next_lease import next_hours
from infra.specs import Limits

HOURS_A_MONTH = 730.0
"""365 days of 24 hours in twelve parts, as clouds bill storage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """What the parts of a stack cost while they are there."""

    machine_usd_per_h: float
    """The ceiling: no dearer machine is rented."""
    disk_gib: float = 0.0
    disk_usd_per_gib_month: float = 0.0
    """The machine's own disk, which goes with it."""
    volume_gib: float = 0.0
    volume_usd_per_gib_month: float = 0.0
    """Storage that outlives the machine, and bills until somebody removes it."""
    network_usd_per_h: float = 0.0
    """Endpoints and gateways, which stay with the stack."""
    bring_home_usd: float = 0.0
    """Once, at the end: the machine that reads the volume."""
    unpriced: tuple[str, ...] = ()
    """Parts for which no sourced price is at hand: named, never counted as nothing."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not 0 <= value < float("inf"):
                raise ValueError(f"{name}={value} must be a number from 0 on")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Dollars by what they are for."""

    machine_usd: float = 0.0
    disk_usd: float = 0.0
    volume_usd: float = 0.0
    network_usd: float = 0.0
    bring_home_usd: float = 0.0

    @property
    def total_usd(self) -> float:
        """All of it."""
        return self.machine_usd + self.disk_usd + self.volume_usd + self.network_usd + self.bring_home_usd


@dataclass(frozen=True, kw_only=True, slots=True)
class WorstCase:
    """The most that can come, for an hour, for the whole lease, and for a month that nobody looks."""

    per_hour: Cost
    lease: Cost
    leftover_month: Cost
    """What bills on after the machine is gone, if `destroy` is forgotten."""
    limits: Limits
    lease_hours: float
    """Of the next machine: less than the limit where the run has spent the dollars for more, 0 for none at all."""
    spent_usd: float
    """By the machines of the run so far."""
    machines_usd: float | None
    """What all machines of the run may cost together, with their disks; None without a dollar limit."""
    unpriced: tuple[str, ...] = ()

    @property
    def capped_lease_usd(self) -> float:
        """The lease, the machine's part cut where the dollar limit ends the run."""
        machine = self.lease.machine_usd
        if self.limits.max_usd is not None:
            machine = min(machine, self.limits.max_usd)
        return self.lease.total_usd - self.lease.machine_usd + machine

    def lines(self) -> list[str]:
        """What plan, preview and up print."""
        hours = self.limits.max_hours
        if not self.per_hour.total_usd and not self.leftover_month.total_usd and not self.unpriced:
            return [f"worst case: own machine, no rent; the run ends after {hours:g} h"]
        leftovers = self.leftover_month.total_usd
        lines = [
            f"worst case: ${self.per_hour.total_usd:.2f} an hour, ${self.capped_lease_usd:.2f} for the lease of "
            f"{self.lease_hours:.4g} h ({_parts(self.lease)})",
            *self._spent(),
            f"if it is forgotten: ${leftovers:.2f} for a month of leftovers",
            _limits(self.limits),
        ]
        return lines + [
            f"not in these dollars, for want of a sourced price: {part}" for part in self.unpriced
        ]

    def _spent(self) -> list[str]:
        """What the run has cost before, and what that leaves for another machine."""
        if not self.spent_usd:
            return []
        limit, hours = self.limits.max_usd, self.limits.max_hours
        if limit is None:
            return [
                f"spent: ${self.spent_usd:.2f} by the machines of the run so far, which has no dollar limit"
            ]
        spent = f"spent: ${self.spent_usd:.2f} of the ${limit:g} for the run"
        if not self.lease_hours:
            return [
                f"{spent}: too little is left, and no other machine is rented; raise sonarstack:maxUsd for one"
            ]
        if self.lease_hours < hours:
            return [f"{spent}: another machine gets a lease of {self.lease_hours:.4g} h instead of {hours:g}"]
        return [f"{spent}: what is left pays for another machine's whole lease"]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "per_hour_usd": round(self.per_hour.total_usd, 4),
            "lease_usd": round(self.capped_lease_usd, 4),
            "lease_hours": round(self.lease_hours, 4),
            "spent_usd": round(self.spent_usd, 4),
            "lease_parts_usd": {k: round(v, 4) for k, v in asdict(self.lease).items()},
            "leftover_month_usd": round(self.leftover_month.total_usd, 4),
            "limits": asdict(self.limits),
            "unpriced": list(self.unpriced),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What is likely, as a range."""

    hours_low: float
    hours_high: float
    usd_low: float
    usd_high: float


def worst_case(rates: Rates, limits: Limits, *, spent_usd: float = 0.0) -> WorstCase:
    """Bound the cost: the machine at its ceiling for the whole lease, everything else as long.

    Args:
        spent_usd: by the machines of the run so far; it shortens the lease where the dollar limit asks for it.
    """
    disk = rates.disk_gib * rates.disk_usd_per_gib_month / HOURS_A_MONTH
    volume = rates.volume_gib * rates.volume_usd_per_gib_month / HOURS_A_MONTH

    def cost(hours: float, machine: float, once: float) -> Cost:
        return Cost(
            machine_usd=machine * rates.machine_usd_per_h * hours,
            disk_usd=machine * disk * hours,
            volume_usd=volume * hours,
            network_usd=rates.network_usd_per_h * hours,
            bring_home_usd=once,
        )

    beside = cost(limits.max_hours, 0.0, rates.bring_home_usd).total_usd
    machines_usd = None if limits.max_usd is None else limits.max_usd - beside
    hours = next_hours(
        limits.max_hours,
        limit_usd=machines_usd if spent_usd else None,
        spent_usd=spent_usd,
        usd_per_h=rates.machine_usd_per_h + disk,
    )
    return WorstCase(
        per_hour=cost(1.0, 1.0, 0.0),
        lease=cost(hours, 1.0, rates.bring_home_usd),
        lease_hours=hours,
        spent_usd=spent_usd,
        machines_usd=machines_usd,
        leftover_month=cost(HOURS_A_MONTH, 0.0, 0.0),
        limits=limits,
        unpriced=rates.unpriced,
    )


def check(worst: WorstCase) -> None:
    """Refuse a stack whose machine can cost more than its dollar limit before anything else would end it.

    The dollar limit ends the program from within; should the program hang, only the lease does. So the lease itself
    must fit.

    Raises:
        SettingsError: it does not.
    """
    limit = worst.limits.max_usd
    if limit is not None and worst.lease.total_usd > limit:
        hours = worst.limits.max_hours * limit / worst.lease.total_usd
        raise SettingsError(
            f"the lease can cost ${worst.lease.total_usd:.2f}, above sonarstack:maxUsd={limit:g}; lower maxHours to "
            f"{hours:.1f}, lower the hourly ceiling, or raise maxUsd to {worst.lease.total_usd:.2f}"
        )


def forecast(
    *,
    seconds_an_epoch: tuple[float, float],
    epochs: int,
    set_up_hours: float,
    rates: Rates,
    limits: Limits,
    interruptions: tuple[int, int] = (0, 0),
    checkpoint_minutes: float = 10.0,
) -> Forecast:
    """Hours and dollars from a range of speeds.

    An interruption costs a set-up and at most one interval between checkpoints. The lease bounds both ends.

    Raises:
        ValueError: a range that is upside down.
    """
    if seconds_an_epoch[0] > seconds_an_epoch[1] or interruptions[0] > interruptions[1]:
        raise ValueError("a range goes from its low to its high end")

    def hours(seconds: float, times: int) -> float:
        lost = times * (set_up_hours + checkpoint_minutes / 60)
        return min(limits.max_hours, set_up_hours + seconds * epochs / 3600 + lost)

    low = hours(seconds_an_epoch[0], interruptions[0])
    high = hours(seconds_an_epoch[1], interruptions[1])
    at_rate = worst_case(rates, limits).per_hour.total_usd
    return Forecast(
        hours_low=low,
        hours_high=high,
        usd_low=low * at_rate + rates.bring_home_usd,
        usd_high=high * at_rate + rates.bring_home_usd,
    )


def _parts(cost: Cost) -> str:
    named = {
        "machine": cost.machine_usd,
        "disk": cost.disk_usd,
        "volume": cost.volume_usd,
        "network": cost.network_usd,
        "bringing home": cost.bring_home_usd,
    }
    return ", ".join(f"{name} ${usd:.2f}" for name, usd in named.items() if usd) or "nothing"


def _limits(limits: Limits) -> str:
    parts = [f"{limits.max_hours:g} h"]
    if limits.max_usd is not None:
        parts.append(f"${limits.max_usd:g} for the run")
    if limits.max_usd_per_h is not None:
        parts.append(f"${limits.max_usd_per_h:g} an hour")
    if limits.idle_minutes is not None:
        parts.append(f"{limits.idle_minutes:g} min of an idle GPU")
    return f"limits: {', '.join(parts)}"
