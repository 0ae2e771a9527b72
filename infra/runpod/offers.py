"""Which machines of the catalogue are as wished, the cheapest first. Pure: a wish and a catalogue in, offers out."""

import math
from collections.abc import Collection, Sequence
from typing import get_args

from infra.runpod.errors import OfferError, RefusedError
from infra.runpod.no_offer import listed, no_offer
from infra.runpod.places import Cloud, Offer, Wish, order, places_of
from infra.runpod.wire import GpuType

__all__ = ["Offer", "Wish", "check_cost", "rank_offers"]

ROUNDING_USD = 1e-4
"""The service's prices are single-precision numbers (contract)."""


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
    places = list(places_of(wish, wish.cloud, catalogue, centers))
    good = [place for place in places if not place.faults]
    if not good:
        raise OfferError(no_offer(wish, catalogue, centers, places, volume=volume_centers is not None))
    return tuple(place.offer for place in sorted(good, key=order))


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
    if wish.cloud not in get_args(Cloud):
        raise OfferError(f"sonarstack:cloud={wish.cloud!r} is none; set {' or '.join(get_args(Cloud))}")
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
                f"sonarstack:dataCenters names {listed(wished)}, and network volumes can be in {listed(volumes)}; "
                "name one of these, or set sonarstack:volumeGib to 0"
            )
    known = {center.upper() for gpu in catalogue for center in gpu.data_centers}
    if centers is not None and known and not centers & known:
        raise OfferError(
            f"no GPU of Runpod's catalogue is in {listed(centers)} now; there are some in {listed(known)}: "
            "name one of these in sonarstack:dataCenters"
        )
    return centers
