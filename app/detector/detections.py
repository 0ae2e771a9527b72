"""What a detector answers for one image, in plain numpy so that no consumer needs torch."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Detections:
    """Boxes of one image, best first; N may be 0."""

    boxes_xyxy_px: NDArray[np.float32]
    """(N, 4) left, top, right, bottom in pixels of the image given; x is across track, y is along track."""
    scores: NDArray[np.float32]
    """(N,) confidence, 0 to 1."""
    labels: NDArray[np.int64]
    """(N,) index into the model's class names."""

    def __len__(self) -> int:
        return len(self.scores)


class Runtime(Protocol):
    """Something that runs a trained network: torch on a device, or ONNX Runtime without torch."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that `Detections.labels` index."""
        ...

    @property
    def description(self) -> str:
        """Model, runtime and device in one line, for reports."""
        ...

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """Detect in a batch of grey images.

        Args:
            images_BHW: (B, H, W) uint8, H and W multiples of 32.
            min_score: confidence below which a box is dropped.

        Returns:
            B entries, each after non-maximum suppression.
        """
        ...
