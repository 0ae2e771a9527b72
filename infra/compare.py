"""What a given amount of training costs on each machine. Pure: measured rates, prices and assumptions in, rows out.

Speed of a device that nobody measured: the measured one's, times the ratio of their convolution rates and times the
ratio of their memory rates; the smaller product is the low end, the larger the high end. Makers' peaks are seldom
reached, so the truth lies nearer the low end, or below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.prices import Peak, Price

OWN_GPU = "own GPU"
FORMULA = (
    "images/s = measured images/s x (peak TFLOP/s / measured convolution TFLOP/s ... peak GB/s / measured GB/s), "
    "the smaller first; peaks are seldom reached, so count on the low end"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A device as `python -m app benchmark --json-file` measured it."""

    device: str
    name: str
    images_per_s: float
    convolution_tflops: float
    memory_gb_per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumptions:
    """What is not measured, each with its default; all can be set."""

    set_up_minutes_own: float = 1.0
    set_up_minutes_rented: float = 10.0
    usd_per_kwh: float = 0.30
    own_watts: float = 150.0
    own_gpu: str = "RTX 4090"
    have_own_gpu: bool = False
    """Whether it is there; only then it is recommended, nobody buys one for a single run."""
    own_gpu_watts: float = 600.0
    """The machine around it included."""
    own_gpu_usd: float = 2000.0
    """Purchase."""
    own_gpu_life_hours: float = 5000.0
    """Hours of use that the purchase is spread over."""
    patience_hours: float = 8.0
    """A run that one's own machine ends within this is not worth renting for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One machine; pairs are low and high, None is not measured."""

    where: str
    device: str
    basis: str
    """measured, formula or not measured."""
    set_up_minutes: float
    hours: tuple[float, float] | None
    usd: tuple[float, float] | None
    usd_per_1000_images: tuple[float, float] | None
    price_usd_per_h: float
    price_from: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(
    *,
    images: int,
    epochs: int,
    measured: Sequence[Measured],
    prices: Sequence[Price],
    peaks: Mapping[str, Peak],
    assumed: Assumptions,
) -> list[Row]:
    """A row for each machine, the cheapest first, those without a figure last."""
    work = images * epochs
    rows = [_own(work, one, assumed) for one in measured]
    base = measured[0] if measured else None
    known = {name: one for one in measured for name in peaks if name in one.name}
    speed = _speed(assumed.own_gpu, known, base, peaks)
    own_usd_per_h = (
        assumed.own_gpu_watts / 1000 * assumed.usd_per_kwh + assumed.own_gpu_usd / assumed.own_gpu_life_hours
    )
    rows.append(
        _row(
            OWN_GPU,
            assumed.own_gpu,
            work,
            speed,
            own_usd_per_h,
            assumed.set_up_minutes_own,
            "electricity, purchase",
        )
    )
    for price in prices:
        speed = _speed(price.gpu, known, base, peaks)
        where = f"{price.provider} {price.machine} {price.market}"
        device = price.gpu if price.gpu_count == 1 else f"{price.gpu_count} x {price.gpu} (one used)"
        told = f"{price.source}, {price.as_of}"
        rows.append(
            _row(where, device, work, speed, price.price_usd_per_h, assumed.set_up_minutes_rented, told)
        )
    return sorted(rows, key=lambda r: (r.usd is None, r.usd[1] if r.usd else 0.0, r.where))


def recommend(rows: Sequence[Row], assumed: Assumptions) -> tuple[Row | None, str]:
    """The machine to take, and why."""
    own = [r for r in rows if r.where == "this machine" and r.hours and r.hours[1] <= assumed.patience_hours]
    if own:
        best = min(own, key=lambda r: r.hours[1] if r.hours else 0.0)
        return best, f"it ends within {assumed.patience_hours:g} h and costs nothing but electricity"
    priced = [r for r in rows if r.usd is not None and (assumed.have_own_gpu or r.where != OWN_GPU)]
    if not priced:
        return (
            None,
            "nothing is measured; run python -m app benchmark --json-file rates.json and give --measured",
        )
    best = min(priced, key=lambda r: r.usd[1] if r.usd else 0.0)
    beside = "" if assumed.have_own_gpu else " beside the own GPU, which counts with --have-gpu"
    return best, f"its high end in dollars is the lowest{beside}"


def _own(work: int, one: Measured, assumed: Assumptions) -> Row:
    usd_per_h = assumed.own_watts / 1000 * assumed.usd_per_kwh
    speed = (one.images_per_s, one.images_per_s, "measured")
    return _row("this machine", one.name, work, speed, usd_per_h, assumed.set_up_minutes_own, "electricity")


def _speed(
    gpu: str, known: Mapping[str, Measured], base: Measured | None, peaks: Mapping[str, Peak]
) -> tuple[float, float, str] | None:
    if gpu in known:
        return known[gpu].images_per_s, known[gpu].images_per_s, "measured"
    peak = peaks.get(gpu)
    if peak is None or base is None:
        return None
    ratios = (peak.fp16_tflops / base.convolution_tflops, peak.memory_gb_per_s / base.memory_gb_per_s)
    return base.images_per_s * min(ratios), base.images_per_s * max(ratios), "formula"


def _row(
    where: str,
    device: str,
    work: int,
    speed: tuple[float, float, str] | None,
    usd_per_h: float,
    set_up_minutes: float,
    told: str,
) -> Row:
    hours = usd = each = None
    if speed is not None:
        hours = (set_up_minutes / 60 + work / speed[1] / 3600, set_up_minutes / 60 + work / speed[0] / 3600)
        usd = (hours[0] * usd_per_h, hours[1] * usd_per_h)
        each = (usd[0] / work * 1000, usd[1] / work * 1000)
    return Row(
        where=where,
        device=device,
        basis=speed[2] if speed else "not measured",
        set_up_minutes=set_up_minutes,
        hours=hours,
        usd=usd,
        usd_per_1000_images=each,
        price_usd_per_h=usd_per_h,
        price_from=told,
    )
