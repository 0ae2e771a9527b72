"""What training steps add up to between two lines of the log, and over the whole call."""

import time
from typing import Any


class StepMeter:
    """Sums since the last line; evaluations and checkpoints between two epochs are not in its time."""

    def __init__(self) -> None:
        self._images_seen, self._train_s = 0, 0.0
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._started_s = time.monotonic()
        self._steps, self._images = 0, 0
        self._loss = self._waited_s = 0.0
        self._losses: dict[str, float] = {}

    def add(self, losses: dict[str, float], *, images: int, waited_s: float) -> None:
        """One step.

        Args:
            losses: `loss`, and its parts.
            waited_s: seconds that the device waited for its batch.
        """
        self._steps, self._images = self._steps + 1, self._images + images
        self._loss, self._losses = self._loss + losses["loss"], losses
        self._waited_s += waited_s

    @property
    def images_per_s(self) -> float:
        """Over all lines; 0 before the first."""
        return self._images_seen / self._train_s if self._train_s else 0.0

    def take(self) -> dict[str, Any]:
        """Figures of the next line, empty if there was no step; counts anew.

        They are means over its steps, but for the loss's parts, which are the last step's.
        """
        if not self._steps:
            return {}
        seconds, steps = time.monotonic() - self._started_s, self._steps
        self._images_seen, self._train_s = self._images_seen + self._images, self._train_s + seconds
        figures = {
            "loss": round(self._loss / steps, 5),
            **{f"loss_{k}": round(v, 5) for k, v in self._losses.items() if k != "loss"},
            "batch_s": round(seconds / steps, 5),
            "waited_s": round(self._waited_s / steps, 5),
            "images_per_s": round(self._images / seconds, 2),
        }
        self.begin()
        return figures
