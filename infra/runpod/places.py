"""Each wished GPU at each place of the catalogue, with all that keeps it from being an offer. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.runpod.gpu_names import everyday, ids_of
from infra.runpod.wire import STOCK, GpuType

Cloud = Literal["secure", "community"]
OTHER_CLOUD, SMALL, FEW, DEAR = (
    "not offered in that cloud",
    "with too little memory",
    "with too few GPUs a machine",
    "above the ceiling",
)
ELSEWHERE, NO_STOCK = "not in these data centres", "out of stock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What would do."""

    gpus: tuple[str, ...]
    """Everyday names or Runpod's ids, best first."""
    count: int = 1
    min_vram_gib: float | None = None
    """Of one GPU; Runpod's whole numbers of GB are those on the GPU's box, which are GiB."""
    cloud: Cloud = "secure"
    data_centers: tuple[str, ...] = ()
    """Any where empty."""
    max_usd_per_h: float
    """Of the whole machine."""
    spot: bool = False
    """Refused; there so that it can be said why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A machine that can be asked for; nobody keeps it for us."""

    gpu_id: str
    gpu_name: str
    """As our price tables call it."""
    count: int
    cloud: Cloud
    data_center: str | None
    """None where any will do."""
    price_usd_per_h: float
    """Of the whole machine."""
    stock: str
    """LOW, MEDIUM or HIGH."""


@dataclass(frozen=True, slots=True)
class Place:
    """A wished GPU at one place, and why it will not do."""

    offer: Offer
    rank: int
    """Of its name in the wish."""
    memory_gb: int
    max_count: int
    faults: tuple[str, ...]


def places_of(
    wish: Wish,
    cloud: Cloud,
    catalogue: Sequence[GpuType],
    centers: frozenset[str] | None,
) -> Iterator[Place]:
    """The wished GPUs in a cloud: each once, or once for each of the data centres.

    Raises:
        OfferError: a name means no GPU.
    """
    ranks: dict[str, int] = {}
    for rank, name in enumerate(wish.gpus):
        for gpu_id in ids_of(name, catalogue):
            ranks.setdefault(gpu_id, rank)
    for gpu in catalogue:
        if gpu.id in ranks:
            yield from _of(gpu, ranks[gpu.id], wish, cloud, centers)


def _of(
    gpu: GpuType,
    rank: int,
    wish: Wish,
    cloud: Cloud,
    centers: frozenset[str] | None,
) -> Iterator[Place]:
    """A GPU at each place that matters; all faults that it has there."""
    usd_per_gpu_h = gpu.secure_usd_per_h if cloud == "secure" else gpu.community_usd_per_h
    offered = gpu.secure if cloud == "secure" else gpu.community
    max_count = gpu.max_count_secure if cloud == "secure" else gpu.max_count_community
    price_usd_per_h = round(usd_per_gpu_h * wish.count, 6)
    faults = []
    if not offered or not 0 < price_usd_per_h < math.inf:
        faults.append(OTHER_CLOUD)
    if wish.min_vram_gib is not None and gpu.memory_gb < wish.min_vram_gib:
        faults.append(SMALL)
    if wish.count > max_count:
        faults.append(FEW)
    if not price_usd_per_h <= wish.max_usd_per_h:
        faults.append(DEAR)
    stocks: dict[str | None, str | None] = {None: gpu.stock}
    if centers is not None:
        here = {center.upper(): stock for center, stock in gpu.data_centers.items()}
        stocks = {center: stock for center, stock in here.items() if center in centers}
        if not stocks:
            stocks = {None: STOCK[0]}
            faults += [ELSEWHERE] if any(stock != STOCK[0] for stock in here.values()) else []
    for center, stock in stocks.items():
        offer = Offer(
            gpu_id=gpu.id,
            gpu_name=everyday(gpu.id, [gpu]),
            count=wish.count,
            cloud=cloud,
            data_center=center,
            price_usd_per_h=price_usd_per_h,
            stock=stock if stock in STOCK else STOCK[0],
        )
        here_faults = [*faults, *([NO_STOCK] if offer.stock == STOCK[0] else [])]
        yield Place(offer, rank, gpu.memory_gb, max_count, tuple(here_faults))


def order(place: Place) -> tuple[object, ...]:
    """To sort by: price, the wish's order, stock; then ids, so that the catalogue's order does not matter."""
    offer = place.offer
    return (
        offer.price_usd_per_h,
        place.rank,
        -STOCK.index(offer.stock),
        offer.gpu_id,
        offer.data_center or "",
    )
