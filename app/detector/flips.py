"""Test-time averaging: a tile and its mirror images are looked at, every cell answers with the mean, boxes vote.

Along track a mirrored tile is another heading, across track the other side; both are as likely as the tile
itself. Shape suffixes: B batch, H, W pixels, h, w cells, N = h w, C classes.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections, Runtime
from app.detector.nms import select, vote
from app.errors import SettingsError

Flip = Literal["along", "across", "both"]
FLIPS: tuple[Flip, ...] = ("along", "across", "both")
"""What `--average-flips` adds to the tile itself; see benchmarks/results/accuracy.md."""
_AXES: dict[Flip, tuple[int, ...]] = {"along": (1,), "across": (2,), "both": (1, 2)}
STRIDE_PX = 8
"""As in `network.py`, which cannot be imported without torch."""
EPSILON = 1e-9

Floats = NDArray[np.float32]


@runtime_checkable
class DenseRuntime(Protocol):
    """A runtime that also tells every cell's answer."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Runtime`."""
        ...

    @property
    def description(self) -> str:
        """See `Runtime`."""
        ...

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Boxes (B, N, 4) in pixels and scores (B, N, C), cells row by row."""
        ...


class FlipAveraged:
    """A runtime that asks another one for each mirror image too: as many times slower as there are images."""

    def __init__(self, runtime: DenseRuntime, flips: Sequence[Flip] = FLIPS) -> None:
        self._runtime, self._flips = runtime, tuple(flips)
        self.class_names = runtime.class_names
        self.description = f"{runtime.description}, mean over {1 + len(self._flips)} mirror images"

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Mean scores of every cell, and its boxes' mean weighted by them.

        Raises:
            ValueError: the network's answers are not one grid of 8 x 8 pixels.
        """
        height, width = images_BHW.shape[1:]
        boxes, scores = self._runtime.predict(images_BHW)
        cells = (height // STRIDE_PX) * (width // STRIDE_PX)
        if scores.shape[1] != cells:
            raise ValueError(
                f"{scores.shape[1]} answers a tile instead of {cells}: this network has other cells"
            )
        weights = scores.max(axis=2, keepdims=True) + EPSILON
        box_sum, score_sum, weight_sum = boxes * weights, scores.copy(), weights.copy()
        for flip in self._flips:
            axes = _AXES[flip]
            mirrored = self._runtime.predict(np.ascontiguousarray(np.flip(images_BHW, axes)))
            boxes, scores = _back(*mirrored, height, width, axes)
            weights = scores.max(axis=2, keepdims=True) + EPSILON
            box_sum += boxes * weights
            score_sum += scores
            weight_sum += weights
        return box_sum / weight_sum, score_sum / np.float32(1 + len(self._flips))

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        if not len(images_BHW):
            return []
        boxes_BN4, scores_BNC = self.predict(images_BHW)
        return [
            vote(select(boxes, scores, min_score=min_score), boxes, scores)
            for boxes, scores in zip(boxes_BN4, scores_BNC, strict=True)
        ]


def with_flips(runtime: Runtime) -> Runtime:
    """What `--average-flips` asks for.

    Raises:
        SettingsError: the runtime tells only what is left after suppression.
    """
    if not isinstance(runtime, DenseRuntime):
        raise SettingsError(
            f"--average-flips needs every cell's answer, which {runtime.description} does not tell; "
            "leave it out, or use --runtime torch"
        )
    return FlipAveraged(runtime)


def _back(
    boxes_BN4: Floats, scores_BNC: Floats, height: int, width: int, axes: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """Answers about a mirrored image as answers about the image: cells and boxes mirrored back."""
    grid = (len(boxes_BN4), height // STRIDE_PX, width // STRIDE_PX, -1)
    boxes = np.flip(boxes_BN4.reshape(grid), axes).reshape(boxes_BN4.shape).copy()
    scores = np.flip(scores_BNC.reshape(grid), axes).reshape(scores_BNC.shape)
    if 2 in axes:
        boxes[..., [0, 2]] = width - boxes[..., [2, 0]]
    if 1 in axes:
        boxes[..., [1, 3]] = height - boxes[..., [3, 1]]
    return boxes, scores
