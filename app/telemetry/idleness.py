"""How long a machine has done nothing. Pure: the clock is told."""

IDLE_PERCENT = 2.0
"""A GPU that only shows a desktop or holds memory reads 0 to 2."""
LONGEST_BREATH_S = 60.0
"""More than this between two looks: the process itself stood still, or its machine did. That does not count."""


class Idleness:
    """Two signs of work: the GPU's use, where it is known, and the training's own progress.

    Use alone would not see a training that spins on a GPU without getting on, nor a GPU that nobody can ask.
    """

    def __init__(self, limit_s: float, now_s: float) -> None:
        self._limit_s = limit_s
        self._busy_s = self._progress_s = self._looked_s = now_s

    def progressed(self, now_s: float) -> None:
        """Something was finished: a step, a batch of an evaluation, a checkpoint."""
        self._progress_s = now_s

    def look(self, percent: float | None, now_s: float) -> str | None:
        """Why this is idle, in words; None while it is not.

        Args:
            percent: the GPU's use now; None is not known, and then progress alone counts.
        """
        gap_s = now_s - self._looked_s
        self._looked_s = now_s
        if gap_s > LONGEST_BREATH_S:
            self._busy_s = min(now_s, self._busy_s + gap_s)
            self._progress_s = min(now_s, self._progress_s + gap_s)
        if percent is None or percent > IDLE_PERCENT:
            self._busy_s = now_s
        minutes = f"{self._limit_s / 60:g} minutes"
        if now_s - self._progress_s >= self._limit_s:
            return f"nothing got on for {minutes}"
        if now_s - self._busy_s >= self._limit_s:
            return f"the GPU stayed at {IDLE_PERCENT:g} % or less for {minutes}"
        return None
