"""Scores of trained runs, in several ways of reading one network: averages of weights, mirror images, suppression.

Shape suffixes: B tiles, N cells, C classes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.dataset.images import read_grey
from app.dataset.tiles import TileSet
from app.detector.detections import Detections
from app.detector.flips import Flip, FlipAveraged
from app.detector.nms import select, vote
from app.detector.torch_runtime import TorchRuntime
from app.device.plan import DevicePlan
from app.evaluation.average_precision import ApTable
from app.evaluation.evaluate import MIN_SCORE
from app.evaluation.matching import best_threshold, match_all
from app.evaluation.score import score_detections
from app.storage import write_json
from benchmarks.accuracy_run import Run

Floats = NDArray[np.float32]
Select = Callable[[Floats, Floats], Detections]
BASE_AVERAGE, BASE_READING = "ema0.998", "as it is"
CHUNK = 16
OVERLAPS = (0.1, 0.3, 0.5, 0.75)
"""IoU at which a box counts as found: from a target that was found at all to one whose extent agrees."""


def _voted(boxes_N4: Floats, scores_NC: Floats) -> Detections:
    return vote(select(boxes_N4, scores_NC, min_score=MIN_SCORE), boxes_N4, scores_NC)


def _suppressed(iou: float) -> Select:
    return partial(select, min_score=MIN_SCORE, iou=iou)


AS_EVER = _suppressed(0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One way to ask a network."""

    flips: tuple[Flip, ...] = ()
    select: Select = AS_EVER
    every_average: bool = False
    """Whether all averages of the weights are asked so, or the usual one alone."""


READINGS = {
    BASE_READING: Reading(every_average=True),
    "mirrored along": Reading(flips=("along",)),
    "mirrored across": Reading(flips=("across",)),
    "mirrored all": Reading(flips=("along", "across", "both"), every_average=True),
    "suppression .4": Reading(select=_suppressed(0.4)),
    "suppression .6": Reading(select=_suppressed(0.6)),
    "voting": Reading(select=_voted),
    "mirrored all, voting": Reading(flips=("along", "across", "both"), select=_voted),
}


class _Remembered:
    """A runtime that answers about the same images from memory."""

    def __init__(self, runtime: TorchRuntime) -> None:
        self._runtime = runtime
        self._answers: dict[bytes, tuple[Floats, Floats]] = {}
        self.class_names, self.description = runtime.class_names, runtime.description

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        key = images_BHW.tobytes()
        if key not in self._answers:
            self._answers[key] = self._runtime.predict(images_BHW)
        return self._answers[key]


def score_run(run: Run, averages: list[str], truth: TileSet, plan: DevicePlan) -> dict[str, Any]:
    """Scores of a run by `average/reading`; computed once, then read from its file."""
    path = run.results / f"{run.stem}.scores.json"
    if path.is_file():
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told
    images, scale = _images(truth, run.variant.test_scale)
    scores: dict[str, Any] = {}
    for average in averages:
        runtime = _Remembered(TorchRuntime.from_file(run.weights(average), plan=plan))
        for name, reading in READINGS.items():
            if average == BASE_AVERAGE or reading.every_average:
                found = _detect(FlipAveraged(runtime, reading.flips), reading.select, images, scale)
                scores[f"{average}/{name}"] = _figures(truth, found)
    write_json(path, scores)
    return scores


def _images(truth: TileSet, scale: float) -> tuple[NDArray[np.uint8], float]:
    images = []
    for tile in truth.tiles:
        image = read_grey(tile.path)
        assert image is not None
        if scale != 1:
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), dtype=np.uint8)
        images.append(image)
    return np.stack(images), scale


def _detect(
    runtime: FlipAveraged, choose: Select, images_BHW: NDArray[np.uint8], scale: float
) -> list[Detections]:
    found: list[Detections] = []
    for start in range(0, len(images_BHW), CHUNK):
        boxes_BN4, scores_BNC = runtime.predict(images_BHW[start : start + CHUNK])
        found += [choose(b / np.float32(scale), s) for b, s in zip(boxes_BN4, scores_BNC, strict=True)]
    return found


def _figures(truth: TileSet, found: list[Detections]) -> dict[str, Any]:
    scores = score_detections(truth, found)
    matches = match_all(truth, found)
    loud = matches.scores >= 0.05
    by_iou = ApTable(truth, found, sizes_px={}, ious=OVERLAPS)
    return {
        "ap50": scores.ap50,
        "ap50_95": scores.ap50_95,
        "ap_by_iou": [by_iou.mean(ious=slice(n, n + 1)) for n in range(len(OVERLAPS))],
        "best_threshold": best_threshold(matches),
        "scores": [round(float(s), 4) for s in matches.scores[loud]],
        "hits": [int(h) for h in matches.hits[loud]],
        "boxes": matches.truths,
    }
