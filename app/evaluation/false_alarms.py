"""How often a model cries wolf where nothing lies: the confidence for a wanted rate, and how sure that rate is."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

CONFIDENCE = 0.95
"""Of the bound: the true rate lies below it in so many of a hundred such surveys."""
ABOVE = 1e-5
"""So much above the last alarm that is not wanted any more: beyond the rounding of the scores that are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmptyGround:
    """Seabed without targets, as far as anybody knows, and what a model said there."""

    name: str
    """What it is, in words."""
    area_km2: float
    scores: tuple[float, ...]
    """Confidence of every contact."""
    least_score: float
    """Contacts below were not counted."""
    labelled: bool
    """Whether it is known that nothing lies there; otherwise some alarms may be true, and all is an upper bound."""

    def __post_init__(self) -> None:
        if not self.area_km2 > 0:
            raise ValueError(f"area_km2={self.area_km2} must be positive; give the ground that was covered")

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, and for `from_dict`."""
        return {**asdict(self), "scores": [round(score, 5) for score in sorted(self.scores, reverse=True)]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "EmptyGround":
        """What `as_dict` gave."""
        return cls(**{**values, "scores": tuple(values["scores"])})

    def count(self, threshold: float) -> int:
        """Alarms of at least this confidence."""
        return sum(score >= threshold for score in self.scores)

    def operating_point(self, wanted_per_km2: float) -> "FalseAlarmPoint":
        """The lowest confidence that gives no more than the wanted rate on this ground."""
        allowed = math.floor(wanted_per_km2 * self.area_km2 + 1e-9)
        above = sorted(self.scores, reverse=True)[allowed:]
        threshold = max(self.least_score, above[0] + ABOVE) if above else self.least_score
        alarms = self.count(threshold)
        return FalseAlarmPoint(
            ground=self.name,
            area_km2=self.area_km2,
            labelled=self.labelled,
            wanted_per_km2=wanted_per_km2,
            threshold=threshold,
            alarms=alarms,
            per_km2=alarms / self.area_km2,
            at_most_per_km2=poisson_upper(alarms) / self.area_km2,
            needed_km2=poisson_upper(0) / wanted_per_km2,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FalseAlarmPoint:
    """A threshold chosen for a rate of false alarms."""

    ground: str
    area_km2: float
    labelled: bool
    wanted_per_km2: float
    threshold: float
    alarms: int
    per_km2: float
    """Counted."""
    at_most_per_km2: float
    """With 95 % confidence, if alarms come independently (Poisson)."""
    needed_km2: float
    """On less ground than this not even silence would show the wanted rate."""

    @property
    def enough(self) -> bool:
        """Whether the ground is large enough for the wanted rate."""
        return self.area_km2 >= self.needed_km2

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "enough": self.enough}

    def as_text(self) -> str:
        """A line or two for a person."""
        text = (
            f"confidence {self.threshold:.3f}: {self.alarms} alarms on {self.area_km2:.3g} km2 of {self.ground}, "
            f"{self.per_km2:.3g} per km2 (below {self.at_most_per_km2:.3g} with 95 % confidence)"
        )
        if not self.labelled:
            text += "; unlabelled: an upper bound, some may be true"
        if not self.enough:
            text += (
                f"; too little ground for {self.wanted_per_km2:g} per km2: "
                f"at least {self.needed_km2:.3g} km2 would be needed"
            )
        return text


def poisson_upper(count: int, confidence: float = CONFIDENCE) -> float:
    """The largest mean that gives `count` events or fewer with probability 1 - `confidence`; 3.00 for none.

    Source: Garwood 1936, "Fiducial limits for the Poisson distribution"; solved by bisection.
    """
    low, high = float(count), count + 10.0 * math.sqrt(count + 1.0) + 10.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(count: int, mean: float) -> float:
    """Probability of `count` events or fewer."""
    logs = [
        k * math.log(mean) - mean - math.lgamma(k + 1) if mean > 0 else -math.inf for k in range(count + 1)
    ]
    return math.fsum(math.exp(value) for value in logs) if mean > 0 else 1.0


def strictest(grounds: Sequence[EmptyGround], wanted_per_km2: float) -> FalseAlarmPoint:
    """The point with the highest threshold: on none of the grounds more alarms than wanted.

    Raises:
        ValueError: there is no ground.
    """
    if not grounds:
        raise ValueError("no empty ground was looked at; give at least one")
    return max((g.operating_point(wanted_per_km2) for g in grounds), key=lambda point: point.threshold)
