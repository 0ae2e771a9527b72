"""Probability of detection against false alarms per square kilometre, where the targets' positions are known."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

_WGS84 = Geod(ellps="WGS84")


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A place on the seabed, WGS 84 degrees."""

    longitude: float
    latitude: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredPosition(Position):
    """A contact: where, and how sure."""

    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatingPoint:
    """What a threshold gives."""

    threshold: float
    pd: float
    """Part of the targets that have a contact within the radius."""
    false_alarms_per_km2: float
    found: int
    false_alarms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PdFar:
    """The whole curve, highest threshold first."""

    targets: int
    contacts: int
    area_km2: float
    radius_m: float
    curve: tuple[OperatingPoint, ...]
    """One point for each confidence that occurs; empty without contacts."""

    def at_threshold(self, threshold: float) -> OperatingPoint:
        """What all contacts of at least this confidence give; nothing found where there are none."""
        passing = [point for point in self.curve if point.threshold >= threshold]
        if passing:
            return passing[-1]
        return OperatingPoint(threshold=threshold, pd=0.0, false_alarms_per_km2=0.0, found=0, false_alarms=0)

    def pd_at(self, false_alarms_per_km2: float) -> float:
        """The highest probability of detection with at most so many false alarms."""
        return max((p.pd for p in self.curve if p.false_alarms_per_km2 <= false_alarms_per_km2), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def pd_against_false_alarms(
    contacts: Sequence[ScoredPosition],
    targets: Sequence[Position],
    *,
    area_km2: float,
    radius_m: float = 10.0,
) -> PdFar:
    """Score contacts against known targets.

    A contact within the radius of a target (the nearest, where there are several) has found it. Further
    contacts on the same target are neither hits nor false alarms: several lines pass over one object, and an
    operator who sees it twice is not misled. All others are false alarms.

    Args:
        contacts: of the whole survey, in any order.
        targets: all that lie in the surveyed area.
        area_km2: ground surveyed, counted once where lines overlap.
        radius_m: how far a contact may lie from its target; positioning errors of fish and ship add up to it.

    Raises:
        ValueError: the area or the radius is not positive.
    """
    if not area_km2 > 0:
        raise ValueError(f"area_km2={area_km2} must be positive; give the ground that the survey covered")
    if not radius_m > 0:
        raise ValueError(f"radius_m={radius_m} must be positive, such as 10")
    order = sorted(contacts, key=lambda c: -c.score)
    target_of = _nearest_target(order, targets, radius_m)
    curve: list[OperatingPoint] = []
    found: set[int] = set()
    false_alarms = 0
    for index, (contact, target) in enumerate(zip(order, target_of.tolist(), strict=True)):
        if target < 0:
            false_alarms += 1
        else:
            found.add(target)
        if index + 1 < len(order) and order[index + 1].score == contact.score:
            continue  # a threshold lets contacts of equal confidence pass together
        curve.append(
            OperatingPoint(
                threshold=contact.score,
                pd=len(found) / len(targets) if targets else 0.0,
                false_alarms_per_km2=false_alarms / area_km2,
                found=len(found),
                false_alarms=false_alarms,
            )
        )
    return PdFar(
        targets=len(targets),
        contacts=len(contacts),
        area_km2=area_km2,
        radius_m=radius_m,
        curve=tuple(curve),
    )


def _nearest_target(
    contacts: Sequence[Position], targets: Sequence[Position], radius_m: float
) -> NDArray[np.int64]:
    """Index of each contact's nearest target, -1 where none lies within the radius."""
    if not contacts or not targets:
        return np.full(len(contacts), -1, dtype=np.int64)
    distance_m = distances_m(contacts, targets)
    nearest = distance_m.argmin(1)
    within = distance_m[np.arange(len(contacts)), nearest] <= radius_m
    return np.where(within, nearest, -1)


def distances_m(ones: Sequence[Position], others: Sequence[Position]) -> NDArray[np.float64]:
    """Distances on the WGS 84 ellipsoid of every pair, (n, m)."""
    lon, lat, other_lon, other_lat = np.broadcast_arrays(
        np.array([p.longitude for p in ones])[:, None],
        np.array([p.latitude for p in ones])[:, None],
        np.array([p.longitude for p in others]),
        np.array([p.latitude for p in others]),
    )
    _, _, distance = _WGS84.inv(lon.ravel(), lat.ravel(), other_lon.ravel(), other_lat.ravel())
    return np.asarray(distance, dtype=np.float64).reshape(lon.shape)
