"""What was spent: exact, since every rate holds from one simulated moment to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.runpod.simulator.assumptions import follows

HOURS_A_MONTH = 730.0
DISK_USD_PER_GB_MONTH = 0.10
STOPPED_DISK_USD_PER_GB_MONTH = 0.20
VOLUME_USD_PER_GB_MONTH = {"STANDARD": 0.07, "HIGH_PERFORMANCE": 0.14}
LARGE_VOLUME_GB = 1000
LARGE_VOLUME_USD_PER_GB_MONTH = 0.05

Rates = Mapping[str, float]
"""USD per hour by the contract's name of the amount, such as gpuAmount."""


@dataclass(kw_only=True)
class Stretch:
    """A time in which the rates were these; without an end it goes on."""

    start_s: float
    end_s: float | None
    usd_per_h: dict[str, float]


@dataclass(kw_only=True)
class Bill:
    """Of one pod or volume; it outlives what it bills."""

    owner: str
    name: str
    stretches: list[Stretch] = field(default_factory=list)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Bill":
        """From the state's file."""
        return cls(
            owner=told["owner"],
            name=told["name"],
            stretches=[Stretch(**one) for one in told["stretches"]],
        )

    def change(self, now_s: float, usd_per_h: Rates) -> None:
        """From now on these rates; empty or zero ends it."""
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.end_s is None:
            if last.usd_per_h == dict(usd_per_h):
                return
            last.end_s = now_s
        if any(usd_per_h.values()):
            self.stretches.append(Stretch(start_s=now_s, end_s=None, usd_per_h=dict(usd_per_h)))

    def amounts(self, start_s: float, end_s: float) -> dict[str, float]:
        """USD by amount within the time; empty where nothing was billed in it."""
        found: dict[str, float] = {}
        for stretch in self.stretches:
            until = end_s if stretch.end_s is None else min(end_s, stretch.end_s)
            hours = (until - max(start_s, stretch.start_s)) / 3600
            if hours > 0:
                for name, rate in stretch.usd_per_h.items():
                    found[name] = found.get(name, 0.0) + rate * hours
        return found

    def total_usd(self, now_s: float) -> float:
        """Up to now."""
        return sum(self.amounts(0.0, now_s).values())

    def usd_per_h(self) -> float:
        """Now."""
        last = self.stretches[-1] if self.stretches else None
        return sum(last.usd_per_h.values()) if last is not None and last.end_s is None else 0.0


@follows("disk-prices", "bills-from-create", "cost-without-disk", "price-fixed-at-rent")
def pod_rates(
    *, active: bool, usd_per_h: float, is_gpu: bool, disk_gb: int, persistent_gb: int
) -> dict[str, float]:
    """A pod's; a stopped one keeps only its persistent disk, at the higher price."""
    if not active:
        stopped = persistent_gb * STOPPED_DISK_USD_PER_GB_MONTH / HOURS_A_MONTH
        return {"gpuAmount": 0.0, "cpuAmount": 0.0, "diskAmount": stopped}
    return {
        "gpuAmount": usd_per_h if is_gpu else 0.0,
        "cpuAmount": 0.0 if is_gpu else usd_per_h,
        "diskAmount": (disk_gb + persistent_gb) * DISK_USD_PER_GB_MONTH / HOURS_A_MONTH,
    }


@follows("disk-prices", "high-performance-price")
def volume_rates(kind: str, size_gb: int) -> dict[str, float]:
    """A network volume's."""
    if kind == "HIGH_PERFORMANCE":
        usd = size_gb * VOLUME_USD_PER_GB_MONTH[kind]
    else:
        above_gb = max(0, size_gb - LARGE_VOLUME_GB)
        usd = (size_gb - above_gb) * VOLUME_USD_PER_GB_MONTH[kind] + above_gb * LARGE_VOLUME_USD_PER_GB_MONTH
    high = kind == "HIGH_PERFORMANCE"
    per_h = usd / HOURS_A_MONTH
    return {"standardAmount": 0.0 if high else per_h, "highPerformanceAmount": per_h if high else 0.0}
