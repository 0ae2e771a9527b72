"""Why no machine of the catalogue is as wished, and what to change least. Pure: the words of an OfferError."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from infra.runpod.gpu_names import shown
from infra.runpod.places import DEAR, FEW, NO_STOCK, SMALL, Cloud, Offer, Place, Wish, order, places_of
from infra.runpod.wire import GpuType

CENT_USD = 0.01
NAMED = 3
"""Offers that an error names."""


def no_offer(
    wish: Wish,
    catalogue: Sequence[GpuType],
    centers: frozenset[str] | None,
    places: Sequence[Place],
    *,
    volume: bool,
) -> str:
    """One line: what was wished, why each place will not do, the nearest that would.

    Args:
        wish: what would do.
        catalogue: all there is.
        centers: data centres that would do; None for any.
        places: the wished GPUs, each with a fault.
        volume: whether a network volume ties it to these centres.
    """
    nearest = _nearest(wish, catalogue, centers, places, volume=volume)
    return f"{_why(wish, centers, places)}; {nearest}"


def _why(wish: Wish, centers: frozenset[str] | None, places: Sequence[Place]) -> str:
    counts = Counter(place.faults[0] for place in places)
    told = ", ".join(f"{number} {fault}" for fault, number in sorted(counts.items()))
    wished = ", ".join(shown(name) for name in wish.gpus[:NAMED]) + (
        ", ..." if len(wish.gpus) > NAMED else ""
    )
    machine = f"{wish.count} x {wished}" if wish.count > 1 else wished
    where = ""
    if centers is not None:
        where = f" in {listed(centers) if len(centers) <= NAMED else f'{len(centers)} data centres'}"
    return (
        f"Runpod has no offer for {machine} on {wish.cloud} cloud{where} up to ${wish.max_usd_per_h:g}/h "
        f"({told or 'none of them is in the catalogue now'})"
    )


def _nearest(
    wish: Wish,
    catalogue: Sequence[GpuType],
    centers: frozenset[str] | None,
    places: Sequence[Place],
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


def _dearer(places: Sequence[Place]) -> str | None:
    dear = [place for place in places if set(place.faults) == {DEAR}]
    if not dear:
        return None
    offer = min(dear, key=order).offer
    least_usd = math.ceil(round(offer.price_usd_per_h / CENT_USD, 4)) * CENT_USD
    return f"the cheapest is {_named(offer)}: set sonarstack:maxUsdPerH to {least_usd:.2f} or more"


def _elsewhere(wish: Wish, catalogue: Sequence[GpuType], *, volume: bool) -> str | None:
    some = _some(places_of(wish, wish.cloud, catalogue, _all_centers(catalogue)))
    if some is None:
        return None
    if volume:
        return f"elsewhere there is {some}: a network volume cannot move there, a new one can be set up there"
    return f"elsewhere there is {some}: name its data centre in sonarstack:dataCenters, or none for any"


def _other_cloud(wish: Wish, catalogue: Sequence[GpuType]) -> str | None:
    other: Cloud = "community" if wish.cloud == "secure" else "secure"
    there = [p for p in places_of(wish, other, catalogue, None) if not set(p.faults) - {NO_STOCK}]
    if not there:
        return None
    return (
        f"{other} cloud lists {_named(min(there, key=order).offer)}, its stock was not asked for: "
        f"set sonarstack:cloud to {other}"
    )


def _fewer(places: Sequence[Place]) -> str | None:
    # Stock is told for the count that was asked for, so what has too few GPUs shows none.
    few = [p for p in places if FEW in p.faults and set(p.faults) <= {FEW, NO_STOCK} and p.max_count > 0]
    if not few:
        return None
    most = max(few, key=lambda place: (place.max_count, place.offer.gpu_name))
    return f"{most.offer.gpu_name} comes with up to {most.max_count} a machine: lower sonarstack:gpuCount"


def _smaller(places: Sequence[Place]) -> str | None:
    small = [place for place in places if set(place.faults) == {SMALL}]
    if not small:
        return None
    most = max(small, key=lambda place: (place.memory_gb, place.offer.gpu_name))
    return f"the largest is {most.offer.gpu_name} with {most.memory_gb} GB: ask for less, or name other GPUs"


def _others(wish: Wish, catalogue: Sequence[GpuType], centers: frozenset[str] | None) -> str | None:
    every = replace(wish, gpus=tuple(gpu.id for gpu in catalogue))
    some = _some(places_of(every, wish.cloud, catalogue, centers))
    return f"there is {some}: add it to sonarstack:gpus" if some is not None else None


def _some(places: Iterable[Place]) -> str | None:
    """The cheapest that have no fault, in words."""
    good = sorted((place for place in places if not place.faults), key=order)
    return ", ".join(_named(place.offer) for place in good[:NAMED]) or None


def _all_centers(catalogue: Sequence[GpuType]) -> frozenset[str]:
    return frozenset(center.upper() for gpu in catalogue for center in gpu.data_centers)


def _named(offer: Offer) -> str:
    where = f" in {offer.data_center}" if offer.data_center else ""
    return f"{offer.gpu_name} at ${offer.price_usd_per_h:.2f}/h{where}"


def listed(centers: Collection[str]) -> str:
    """Data centres in one line."""
    return ", ".join(sorted(centers))
