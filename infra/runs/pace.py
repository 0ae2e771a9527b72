"""How long a run still takes, as a range: no two stretches of it have one pace. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

LINES = 20
"""Of the last ones; older ones tell of another phase."""
BLOCKS = 4
"""The spread is that between the means of so many stretches: a single line says more of a hiccup than of the pace."""


def seconds_left_range(metrics: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Seconds to the end at the fastest and at the slowest recent pace; None while there is no pace, or no end.

    Args:
        metrics: lines of metrics.jsonl, oldest first.
    """
    if metrics and metrics[-1].get("kind") == "end":
        return None
    steps = [line for line in metrics if line.get("kind") == "step"][-LINES - 1 :]
    if not steps or not steps[-1].get("total_steps"):
        return None
    points = [(int(line["step"]), float(line.get("seconds") or 0)) for line in steps]
    bounds = [round(i * (len(points) - 1) / BLOCKS) for i in range(BLOCKS + 1)]
    pairs = [(points[a], points[b]) for a, b in pairwise(bounds) if a < b]
    paces = [(t1 - t0) / (s1 - s0) for (s0, t0), (s1, t1) in pairs if s1 > s0 and t1 > t0]
    if not paces:
        return None
    left = max(0, int(steps[-1]["total_steps"]) - points[-1][0])
    return left * min(paces), left * max(paces)
