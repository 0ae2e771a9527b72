"""Which machines of the catalogue are as wished, the cheapest first. Pure: a wish and a catalogue in, offers out."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from infra.runpod.errors import OfferError, RefusedError
from infra.runpod.gpu_names import everyday, ids_of, shown
from infra.runpod.wire import STOCK, GpuType

CENT_USD = 0.01
ROUNDING_USD = 1e-4
"""The service's prices are single-precision numbers (contract)."""
NAMED = 3
"""Offers that an error names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What would do."""

    gpus: tuple[str, ...]
    """Everyday names or Runpod's ids, best first."""
    count: int = 1
    min_vram_gib: float | None = None
    """Of one GPU; Runpod's whole numbers of GB are those on the GPU's box, which are GiB."""
    cloud: Literal["secure", "community"] = "secure"
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
    cloud: Literal["secure", "community"]
    data_center: str | None
    """None where any will do."""
    price_usd_per_h: float
    """Of the whole machine."""
    stock: str
    """LOW, MEDIUM or HIGH."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A wished GPU at one place, and why it will not do."""

    offer: Offer
    rank: int
    """Of its name in the wish."""
    memory_gb: int
    max_count: int
    faults: tuple[str, ...]


OTHER_CLOUD, SMALL, FEW, DEAR = (
    "not offered in that cloud",
    "with too little memory",
    "with too few GPUs a machine",
    "above the ceiling",
)
ELSEWHERE, NO_STOCK = "not in these data centres", "out of stock"


def rank_offers(
    wish: Wish, catalogue: Sequence[GpuType], *, volume_centers: Collection[str] | None = None
) -> tuple[Offer, ...]:
    """Offers within the wish: the cheapest first, then in the wish's order, then more stock first.

    One for each GPU and data centre where the place matters, else one for each GPU.

    Args:
        wish: what would do.
        catalogue: as it was read for the wish's count and cloud, since stock is told for these alone.
        volume_centers: data centres that the network volume lies in, or could; None without a volume.

    Raises:
        OfferError: nothing is left; one line that says why and names the nearest that would do.
    """
    _possible(wish, volume_centers)
    centers = _centers(wish, catalogue, volume_centers)
    places = list(_places(wish, wish.cloud, catalogue, centers))
    good = [place for place in places if not place.faults]
    if not good:
        nearest = _nearest(wish, catalogue, centers, places, volume=volume_centers is not None)
        raise OfferError(f"{_why(wish, centers, places)}; {nearest}")
    return tuple(place.offer for place in sorted(good, key=_order))


def check_cost(ceiling: Offer | float, cost_usd_per_h: float) -> None:
    """What a pod costs, after the rent, against what was promised before.

    Args:
        ceiling: USD per hour, or the offer that it was rented by.
        cost_usd_per_h: the pod's own figure.

    Raises:
        RefusedError: it costs more; give it back.
    """
    most = ceiling.price_usd_per_h if isinstance(ceiling, Offer) else ceiling
    if not cost_usd_per_h <= most + ROUNDING_USD:
        raise RefusedError(
            f"the pod costs ${cost_usd_per_h:.2f}/h, above the {'offer' if isinstance(ceiling, Offer) else 'ceiling'} "
            f"of ${most:.2f}/h; it may not be kept: raise sonarstack:maxUsdPerH or name other GPUs"
        )


def _possible(wish: Wish, volume_centers: Collection[str] | None) -> None:
    """Refuse what no catalogue could grant."""
    if wish.spot:
        raise OfferError(
            "Runpod has no spot market since 2026-05 (bids went with it); sonarstack:maxUsdPerH is a ceiling on its "
            "fixed prices; AWS, Azure and Vast.ai have spot machines"
        )
    if not wish.gpus:
        raise OfferError('sonarstack:gpus is empty; name at least one, such as ["RTX 4090"]')
    if wish.count < 1:
        raise OfferError(f"a machine with {wish.count} GPUs is none; set sonarstack:gpuCount to 1 or more")
    if not 0 < wish.max_usd_per_h < math.inf:
        raise OfferError(
            f"a ceiling of {wish.max_usd_per_h} USD/h is none; set sonarstack:maxUsdPerH to a number above 0"
        )
    if volume_centers is not None and wish.cloud == "community":
        raise OfferError(
            "community cloud has no network volumes; set sonarstack:volumeGib to 0, or sonarstack:cloud to secure"
        )


def _centers(
    wish: Wish, catalogue: Sequence[GpuType], volume_centers: Collection[str] | None
) -> frozenset[str] | None:
    """Where the machine may be, in capitals (lowercase ids break Runpod: dstack's notes); None for anywhere."""
    wished = frozenset(map(str.upper, wish.data_centers))
    if volume_centers is None:
        centers = wished or None
    else:
        volumes = frozenset(map(str.upper, volume_centers))
        centers = volumes & wished if wished else volumes
        if not volumes:
            raise OfferError(
                "no data centre for the network volume; set sonarstack:volumeGib to 0 to do without"
            )
        if not centers:
            raise OfferError(
                f"sonarstack:dataCenters names {_listed(wished)}, and network volumes can be in {_listed(volumes)}; "
                "name one of these, or set sonarstack:volumeGib to 0"
            )
    known = {center.upper() for gpu in catalogue for center in gpu.data_centers}
    if centers is not None and known and not centers & known:
        raise OfferError(
            f"no GPU of Runpod's catalogue is in {_listed(centers)} now; there are some in {_listed(known)}: "
            "name one of these in sonarstack:dataCenters"
        )
    return centers


def _places(
    wish: Wish,
    cloud: Literal["secure", "community"],
    catalogue: Sequence[GpuType],
    centers: frozenset[str] | None,
) -> Iterator[_Place]:
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
    cloud: Literal["secure", "community"],
    centers: frozenset[str] | None,
) -> Iterator[_Place]:
    """A GPU at each place that matters; all faults that it has there."""
    usd_per_gpu_h = gpu.secure_usd_per_h if cloud == "secure" else gpu.community_usd_per_h
    offered = gpu.secure if cloud == "secure" else gpu.community
    max_count = gpu.max_count_secure if cloud == "secure" else gpu.max_count_community
    price_usd_per_h = round(usd_per_gpu_h * wish.count, 6)
    faults = []
    if not offered or not 0 < usd_per_gpu_h < math.inf:
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
        yield _Place(offer, rank, gpu.memory_gb, max_count, tuple(here_faults))


def _order(place: _Place) -> tuple[object, ...]:
    offer = place.offer
    return (
        offer.price_usd_per_h,
        place.rank,
        -STOCK.index(offer.stock),
        offer.gpu_id,
        offer.data_center or "",
    )


def _why(wish: Wish, centers: frozenset[str] | None, places: Sequence[_Place]) -> str:
    counts = Counter(place.faults[0] for place in places)
    told = ", ".join(f"{number} {fault}" for fault, number in sorted(counts.items()))
    wished = ", ".join(shown(name) for name in wish.gpus[:NAMED]) + (
        ", ..." if len(wish.gpus) > NAMED else ""
    )
    machine = f"{wish.count} x {wished}" if wish.count > 1 else wished
    where = f" in {_listed(centers)}" if centers is not None else ""
    return (
        f"Runpod has no offer for {machine} on {wish.cloud} cloud{where} up to ${wish.max_usd_per_h:g}/h "
        f"({told or 'none of them is in the catalogue now'})"
    )


def _nearest(
    wish: Wish,
    catalogue: Sequence[GpuType],
    centers: frozenset[str] | None,
    places: Sequence[_Place],
    *,
    volume: bool,
) -> str:
    """What to change least. A volume ties place and cloud, so with one they come last, or not at all."""
    elsewhere = None if centers is None else _elsewhere(wish, catalogue, volume=volume)
    here = (_fewer(places), _smaller(places), _others(wish, catalogue, centers))
    moves = (*here, elsewhere) if volume else (elsewhere, _other_cloud(wish, catalogue), *here)
    return next(
        filter(None, (_dearer(places), *moves)),
        "nothing else in the catalogue would do either: try again later, or raise sonarstack:maxUsdPerH",
    )


def _dearer(places: Sequence[_Place]) -> str | None:
    dear = [place for place in places if set(place.faults) == {DEAR}]
    if not dear:
        return None
    offer = min(dear, key=_order).offer
    least_usd = math.ceil(round(offer.price_usd_per_h / CENT_USD, 4)) * CENT_USD
    return f"the cheapest is {_named(offer)}: set sonarstack:maxUsdPerH to {least_usd:.2f} or more"


def _elsewhere(wish: Wish, catalogue: Sequence[GpuType], *, volume: bool) -> str | None:
    some = _some(_places(wish, wish.cloud, catalogue, _all_centers(catalogue)))
    if some is None:
        return None
    if volume:
        return f"elsewhere there is {some}: a network volume cannot move there, a new one can be set up there"
    return f"elsewhere there is {some}: name its data centre in sonarstack:dataCenters, or none for any"


def _other_cloud(wish: Wish, catalogue: Sequence[GpuType]) -> str | None:
    other: Literal["secure", "community"] = "community" if wish.cloud == "secure" else "secure"
    there = [p for p in _places(wish, other, catalogue, None) if not set(p.faults) - {NO_STOCK}]
    if not there:
        return None
    return (
        f"{other} cloud lists {_named(min(there, key=_order).offer)}, its stock was not asked for: "
        f"set sonarstack:cloud to {other}"
    )


def _fewer(places: Sequence[_Place]) -> str | None:
    few = [place for place in places if set(place.faults) == {FEW} and place.max_count > 0]
    if not few:
        return None
    most = max(few, key=lambda place: (place.max_count, place.offer.gpu_name))
    return f"{most.offer.gpu_name} comes with up to {most.max_count} a machine: lower sonarstack:gpuCount"


def _smaller(places: Sequence[_Place]) -> str | None:
    small = [place for place in places if set(place.faults) == {SMALL}]
    if not small:
        return None
    most = max(small, key=lambda place: (place.memory_gb, place.offer.gpu_name))
    return f"the largest is {most.offer.gpu_name} with {most.memory_gb} GB: ask for less, or name other GPUs"


def _others(wish: Wish, catalogue: Sequence[GpuType], centers: frozenset[str] | None) -> str | None:
    every = replace(wish, gpus=tuple(gpu.id for gpu in catalogue))
    some = _some(_places(every, wish.cloud, catalogue, centers))
    return f"there is {some}: add it to sonarstack:gpus" if some is not None else None


def _some(places: Iterable[_Place]) -> str | None:
    """The cheapest that have no fault, in words."""
    good = sorted((place for place in places if not place.faults), key=_order)
    return ", ".join(_named(place.offer) for place in good[:NAMED]) or None


def _all_centers(catalogue: Sequence[GpuType]) -> frozenset[str]:
    return frozenset(center.upper() for gpu in catalogue for center in gpu.data_centers)


def _named(offer: Offer) -> str:
    where = f" in {offer.data_center}" if offer.data_center else ""
    return f"{offer.gpu_name} at ${offer.price_usd_per_h:.2f}/h{where}"


def _listed(centers: Collection[str]) -> str:
    return ", ".join(sorted(centers))
