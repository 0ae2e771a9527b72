"""Prices of machines and peak rates of GPUs: dated, sourced rows; what has no source is not here."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra.errors import PriceError

FOLDER = Path(__file__).parent / "prices"
DEVICES = "devices"
STALE_DAYS = 90
COLUMNS = (
    "machine", "gpu", "gpu_count", "vram_gib", "region", "market", "price_usd_per_h", "as_of", "source",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """A machine as a provider lists it."""

    provider: str
    machine: str
    gpu: str
    gpu_count: int
    vram_gib: int
    """Of one GPU."""
    region: str
    market: str
    """on_demand, spot, secure or community."""
    price_usd_per_h: float
    """The whole machine."""
    as_of: date
    source: str

    def age_days(self, today: date) -> int:
        """Days since it was read."""
        return (today - self.as_of).days


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """What a GPU's maker says it can reach at most."""

    gpu: str
    fp16_tflops: float
    """Dense, tensor cores."""
    memory_gb_per_s: float
    source: str


def read_prices(folder: Path = FOLDER) -> list[Price]:
    """Every row of every provider.

    Raises:
        PriceError: a row is damaged, undated or unsourced; it names file and line.
    """
    found = []
    for path in sorted(folder.glob("*.csv")):
        if path.stem != DEVICES:
            found += [_price(path, number, row) for number, row in _rows(path)]
    return found


def read_peaks() -> dict[str, Peak]:
    """Peak rates by the GPU's name.

    Raises:
        PriceError: as `read_prices`.
    """
    path = FOLDER / f"{DEVICES}.csv"
    peaks = {}
    for number, row in _rows(path):
        try:
            peaks[row["gpu"]] = Peak(
                gpu=row["gpu"],
                fp16_tflops=_positive(row["fp16_tflops"]),
                memory_gb_per_s=_positive(row["memory_gb_per_s"]),
                source=_text(row["source"]),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise PriceError(f"{path.name} line {number}: {error}; mend the row or remove it") from error
    return peaks


def write_prices(provider: str, prices: list[Price], folder: Path = FOLDER) -> None:
    """Replace a provider's table, whole or not at all.

    Raises:
        PriceError: there is nothing to write, which is no reason to forget what is known.
    """
    if not prices:
        raise PriceError(f"the list of {provider} held none of our machines; the table is left as it is")
    path = folder / f"{provider}.csv"
    part = path.with_suffix(".part")
    with part.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for price in sorted(prices, key=lambda p: (p.machine, p.gpu, p.market)):
            writer.writerow([getattr(price, name) for name in COLUMNS])
    part.replace(path)


def stale(prices: list[Price], today: date) -> list[str]:
    """A warning for each provider whose oldest row is older than 90 days."""
    oldest: dict[str, Price] = {}
    for price in prices:
        if price.provider not in oldest or price.as_of < oldest[price.provider].as_of:
            oldest[price.provider] = price
    return [
        f"prices of {name}: {p.machine} was read {p.age_days(today)} days ago ({p.as_of}); look it up before you rent"
        for name, p in oldest.items()
        if p.age_days(today) > STALE_DAYS
    ]


def _price(path: Path, number: int, row: Mapping[str, str]) -> Price:
    try:
        return Price(
            provider=path.stem,
            machine=_text(row["machine"]),
            gpu=_text(row["gpu"]),
            gpu_count=int(row["gpu_count"]),
            vram_gib=int(row["vram_gib"]),
            region=_text(row["region"]),
            market=_text(row["market"]),
            price_usd_per_h=_positive(row["price_usd_per_h"]),
            as_of=date.fromisoformat(row["as_of"]),
            source=_text(row["source"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise PriceError(f"{path.name} line {number}: {error}; mend the row or remove it") from error


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    with path.open(newline="") as stream:
        return [(number, row) for number, row in enumerate(csv.DictReader(stream), start=2)]


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"{text} is not a number above 0")
    return value


def _text(text: str | None) -> str:
    if not text or not text.strip():
        raise ValueError("a field is empty")
    return text.strip()
