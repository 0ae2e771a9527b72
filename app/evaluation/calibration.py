"""Does a confidence of .8 mean right in eight of ten? Reliability in bins, and the expected calibration error."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.evaluation.matching import Matches


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Detections of similar confidence."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence of the detections in it."""
    precision: float
    """Part of them that found a box."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Reliability of the detections above a confidence."""

    expected_error: float
    """Mean of |confidence - precision| over the bins, weighted by their counts; 0 without detections."""
    detections: int
    bins: tuple[Bin, ...]
    """Those that hold detections, lowest first."""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def calibrate(matches: Matches, *, bins: int = 10, min_score: float = 0.05) -> Calibration:
    """Compare confidence with precision in bins of equal width.

    Args:
        matches: see `match_all`.
        bins: number of bins between 0 and 1; those without detections are left out.
        min_score: detections below are ignored: a dense detector gives any number of them, and they would
            make every model look calibrated.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks"; for detectors Kuppers et al. 2020.
    """
    used = matches.scores >= min_score
    scores, hits = matches.scores[used], matches.hits[used]
    index = np.minimum((scores * bins).astype(int), bins - 1)
    table = []
    for number in np.unique(index):
        mine = index == number
        table.append(
            Bin(
                low=float(number / bins),
                high=float((number + 1) / bins),
                count=int(mine.sum()),
                confidence=float(scores[mine].mean()),
                precision=float(hits[mine].mean()),
            )
        )
    error = sum(b.count * abs(b.confidence - b.precision) for b in table) / max(len(scores), 1)
    return Calibration(expected_error=error, detections=len(scores), bins=tuple(table))
