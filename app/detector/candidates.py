"""Boxes only of the cells that claim a target: the last layers of the box branch, in numpy.

A tile has thousands of cells and a handful of targets. Leaving the box branch out of the network and computing
it at the few cells above the threshold saves a tenth of the arithmetic and the decoding of all the others; what
comes out is the same but for rounding.

Shape suffixes: B batch, C classes, h, w cells, N = h w, F neck channels, M hidden channels, K = 4 x bins, n cells
chosen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections
from app.detector.nms import MOST_CANDIDATES, select

Floats = NDArray[np.float32]
STRIDE_PX = 8
"""As in `network.py`, which cannot be imported without torch."""
LOGIT_MARGIN = 1e-3
"""So that rounding drops no cell before its score itself is compared."""
LARGEST_LOGIT = 80.0
"""exp of more overflows in 32 bits."""
CELLS_AT_ONCE = 2048
"""Keeps the gathered patches of a whole image in a few MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxHead:
    """3x3 convolution, ReLU, 1x1 convolution, expected distances."""

    hidden_weight: Floats
    """(9 F, M), rows by kernel row, kernel column, neck channel."""
    hidden_bias: Floats
    answer_weight: Floats
    """(M, K)"""
    answer_bias: Floats
    neck_scale: float = 1.0
    """What a step of the neck's numbers is worth; not 1 where the network hands them out as 8-bit integers."""
    neck_zero: int = 0

    @classmethod
    def from_convolutions(
        cls, hidden_weight_MF33: Floats, hidden_bias: Floats, answer_weight_KM11: Floats, answer_bias: Floats
    ) -> "BoxHead":
        """From convolutions' weights as torch and ONNX keep them."""
        hidden = hidden_weight_MF33.astype(np.float32)
        return cls(
            hidden_weight=np.ascontiguousarray(hidden.transpose(2, 3, 1, 0).reshape(-1, len(hidden))),
            hidden_bias=hidden_bias.astype(np.float32),
            answer_weight=np.ascontiguousarray(answer_weight_KM11[:, :, 0, 0].T.astype(np.float32)),
            answer_bias=answer_bias.astype(np.float32),
        )

    def boxes(self, neck_hwF: NDArray[np.generic], cells_n: NDArray[np.integer]) -> Floats:
        """Left, top, right, bottom in pixels of cells given by their number, row by row; (n, 4)."""
        if not len(cells_n):
            return np.zeros((0, 4), np.float32)
        parts = range(0, len(cells_n), CELLS_AT_ONCE)
        return np.concatenate([self._boxes(neck_hwF, cells_n[at : at + CELLS_AT_ONCE]) for at in parts])

    def _boxes(self, neck_hwF: NDArray[np.generic], cells_n: NDArray[np.integer]) -> Floats:
        height, width = neck_hwF.shape[:2]
        rows, columns = np.divmod(cells_n, width)
        around = np.arange(-1, 2)
        rows_n3, columns_n3 = rows[:, None] + around, columns[:, None] + around
        inside = ((rows_n3 >= 0) & (rows_n3 < height))[:, :, None] & (
            (columns_n3 >= 0) & (columns_n3 < width)
        )[:, None, :]
        patches = neck_hwF[
            rows_n3.clip(0, height - 1)[:, :, None], columns_n3.clip(0, width - 1)[:, None, :]
        ].astype(np.float32)
        if self.neck_zero:
            patches -= np.float32(self.neck_zero)
        if self.neck_scale != 1.0:
            patches *= np.float32(self.neck_scale)
        patches *= inside[..., None]
        hidden = np.maximum(patches.reshape(len(cells_n), -1) @ self.hidden_weight + self.hidden_bias, 0)
        logits = (hidden @ self.answer_weight + self.answer_bias).reshape(len(cells_n), 4, -1)
        share = np.exp(logits - logits.max(-1, keepdims=True))
        steps = np.arange(share.shape[-1], dtype=np.float32)
        distances = (share @ steps) / share.sum(-1) * np.float32(STRIDE_PX)
        centres = (np.stack((columns, rows), 1).astype(np.float32) + np.float32(0.5)) * np.float32(STRIDE_PX)
        return np.concatenate((centres - distances[:, :2], centres + distances[:, 2:]), 1)


@dataclass(frozen=True, slots=True)
class CellAnswers:
    """What a network without its box branch answers for a batch."""

    class_logits_BChw: Floats
    neck_BhwF: NDArray[np.generic]
    """Features that the box branch looks at, of any number format."""

    def detect(self, head: BoxHead, *, min_score: float) -> list[Detections]:
        """The boxes that count, an entry an image; the same as `select` makes of every cell's."""
        return [
            _detect(logits, neck, head, min_score)
            for logits, neck in zip(self.class_logits_BChw, self.neck_BhwF, strict=True)
        ]


def _detect(logits_Chw: Floats, neck_hwF: NDArray[np.generic], head: BoxHead, min_score: float) -> Detections:
    logits_CN = logits_Chw.reshape(len(logits_Chw), -1)
    best_N = logits_CN[0] if len(logits_CN) == 1 else logits_CN.max(0)
    cells = np.flatnonzero(best_N >= _logit(min_score) - LOGIT_MARGIN)
    if len(cells) > MOST_CANDIDATES:
        # `select` takes the best of the scores, and a cell without one of them is not needed.
        cells = np.sort(cells[np.argsort(-best_N[cells], kind="stable")[:MOST_CANDIDATES]])
    scores = sigmoid(logits_CN[:, cells].T)
    return select(head.boxes(neck_hwF, cells), scores, min_score=min_score)


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    clipped = np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)
    value: Floats = (1 / (1 + np.exp(-clipped))).astype(np.float32, copy=False)
    return value


def _logit(score: float) -> float:
    if score <= 0:
        return -np.inf
    return float(np.log(score) - np.log1p(-min(score, 1 - 1e-7)))
