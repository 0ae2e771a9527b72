"""Learning rate over a run, as a pure function of the step so that nothing of it needs saving."""

import math


def rate_scale(step: int, total_steps: int, *, warmup_steps: int, final: float) -> float:
    """Part of the peak rate at `step`: linear warm-up, then a cosine down to `final`.

    A warm-up longer than a fifth of the run is cut to that, so that a very short run still reaches its peak.
    """
    warmup = max(1, min(warmup_steps, total_steps // 5))
    if step < warmup:
        return (step + 1) / warmup
    progress = min((step - warmup) / max(total_steps - warmup, 1), 1.0)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
