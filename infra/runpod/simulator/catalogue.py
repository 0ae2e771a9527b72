"""Stock and prices at a moment: samples, what was set by hand, and less what the account's own pods have."""

import random
from collections.abc import Iterable

from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.clock import Clock
from infra.runpod.simulator.samples import CPUS, DATA_CENTERS, GPUS, CpuSample, DataCenterSample, GpuSample
from infra.runpod.simulator.state import State

STOCK_MOVES_EVERY_S = 300.0
PRICES_MOVE_EVERY_S = 3600.0
PRICES_MOVE_BY = 0.1


class Catalogue:
    """What may be rented.

    Args:
        seed: of the drift: the same seed and the same simulated moment have the same stock and prices.
        moving: whether they drift at all.
    """

    def __init__(self, state: State, clock: Clock, *, seed: int, moving: bool) -> None:
        self._state, self._clock, self._seed, self._moving = state, clock, seed, moving
        self.empty = False
        """A fault: nothing is in stock while it holds."""

    def usd_per_h(self, gpu: GpuSample, cloud: str) -> float:
        """Of one GPU; 0 where that cloud has none of them."""
        base = gpu.secure_usd_per_h if cloud == "SECURE" else gpu.community_usd_per_h
        return self._price(f"{cloud}/{gpu.id}", base)

    def usd_per_vcpu_h(self, cpu: CpuSample) -> float:
        """Of one vCPU, secure cloud."""
        return self._price(f"SECURE/{cpu.id}", cpu.usd_per_vcpu_h)

    def free_gpus(self, gpu: GpuSample, cloud: str, data_center: str) -> int:
        """That nobody has."""
        samples = gpu.secure if cloud == "SECURE" else gpu.community
        held = sum(
            pod.gpu_count
            for pod in self._state.pods.values()
            if pod.active and (pod.gpu_id, pod.cloud, pod.data_center) == (gpu.id, cloud, data_center)
        )
        return self._units(f"{cloud}/{data_center}/{gpu.id}", samples.get(data_center, 0), held)

    def free_vcpus(self, cpu: CpuSample, data_center: str) -> int:
        """That nobody has, secure cloud."""
        held = sum(
            pod.vcpus
            for pod in self._state.pods.values()
            if pod.active and (pod.cpu_id, pod.data_center) == (cpu.id, data_center)
        )
        return self._units(f"SECURE/{data_center}/{cpu.id}", cpu.vcpus.get(data_center, 0), held)

    def set_stock(self, units: int, *, id_: str | None, data_center: str | None, cloud: str | None) -> int:
        """Set by hand how many there are; None is all. Says how many places that were."""
        places = [
            f"{where}/{center.id}/{one.id}"
            for where in ("SECURE", "COMMUNITY")
            for center in DATA_CENTERS
            for one in (*GPUS, *CPUS)
            if id_ in (None, one.id) and data_center in (None, center.id) and cloud in (None, where)
        ]
        self._state.stock.update(dict.fromkeys(places, units))
        return len(places)

    def set_price(self, usd_per_h: float, *, id_: str, cloud: str) -> None:
        """Set by hand."""
        self._state.prices[f"{cloud}/{id_}"] = usd_per_h

    @follows("stock-and-prices")
    def _units(self, place: str, sample: int, held: int) -> int:
        units = self._state.stock.get(place)
        if units is None:
            units = sample
            if self._moving and sample:
                units += self._dice(place, STOCK_MOVES_EVERY_S).randint(-sample // 2 - 1, sample // 2 + 1)
        return 0 if self.empty else max(0, units - held)

    def _price(self, place: str, sample: float) -> float:
        usd = self._state.prices.get(place)
        if usd is None:
            usd = sample
            if self._moving:
                usd *= 1 + self._dice(place, PRICES_MOVE_EVERY_S).uniform(-PRICES_MOVE_BY, PRICES_MOVE_BY)
        return round(usd, 3)

    def _dice(self, place: str, every_s: float) -> random.Random:
        return random.Random(f"{self._seed}/{place}/{int(self._clock.now() // every_s)}")


def level(units: int, wanted: int) -> str:
    """The contract's word for so much stock; how much is LOW is ours."""
    times = units // wanted
    return "NONE" if times < 1 else "LOW" if times < 3 else "MEDIUM" if times < 8 else "HIGH"


def gpu_of(id_: str) -> GpuSample | None:
    """By its id."""
    return next((one for one in GPUS if one.id == id_), None)


def cpu_of(id_: str) -> CpuSample | None:
    """By its id."""
    return next((one for one in CPUS if one.id == id_), None)


@follows("lowercase-data-center")
def data_center_of(id_: str) -> DataCenterSample | None:
    """By its id, in any case of letters."""
    return next((one for one in DATA_CENTERS if one.id == id_.upper()), None)


def newer_or_equal(version: str, floor: str) -> bool:
    """12.11 is above 12.2; a bare 12 is any of it."""
    return _numbers(version) >= _numbers(floor)


def fitting_cuda(offered: Iterable[str], exact: Iterable[str], floor: str | None) -> list[str]:
    """Versions that satisfy; an empty `exact` is no wish."""
    wanted = tuple(exact)
    return [
        one
        for one in offered
        if (not wanted or one in wanted) and (floor is None or newer_or_equal(one, floor))
    ]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
