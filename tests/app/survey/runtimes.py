"""Networks of a few lines: one that finds bright blobs, one that counts, one that finds what it is told."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections

Boxes = NDArray[np.float32]


class BlobRuntime:
    """Finds blobs brighter than a threshold; their score is their brightness."""

    class_names = ("target", "ship")
    description = "bright blobs, no network"

    def __init__(self, *, threshold: int = 200, least_px: int = 12, ship_px: int = 10_000) -> None:
        self._threshold = threshold
        self._least_px = least_px
        self._ship_px = ship_px
        self.batches: list[tuple[int, int, int]] = []
        """Shape of every batch seen."""

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        self.batches.append(images_BHW.shape)
        return [self._detect(image, min_score) for image in images_BHW]

    def _detect(self, image: NDArray[np.uint8], min_score: float) -> Detections:
        bright = (image > self._threshold).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        found = [s for s in stats[1:] if s[cv2.CC_STAT_AREA] >= self._least_px]
        boxes = [[s[0], s[1], s[0] + s[2], s[1] + s[3]] for s in found]
        labels = [int(s[cv2.CC_STAT_AREA] >= self._ship_px) for s in found]
        return detections(boxes, [max(min_score, 0.9)] * len(boxes), labels)


class FunctionRuntime:
    """Answers what a function says for each image."""

    class_names = ("target", "ship")
    description = "answers as told"

    def __init__(self, answer: Callable[[NDArray[np.uint8]], Detections]) -> None:
        self._answer = answer

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        return [self._answer(image) for image in images_BHW]


def detections(boxes: list[list[float]], scores: list[float], labels: list[int]) -> Detections:
    """From plain lists."""
    return Detections(
        boxes_xyxy_px=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        scores=np.array(scores, dtype=np.float32),
        labels=np.array(labels, dtype=np.int64),
    )
