"""How good detections are: average precision by COCO's rules, precision and recall at one threshold.

AP comes from faster-coco-eval, which computes COCO's figures with the published interpolation; precision and
recall from `matching.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import TileSet
from app.detector.detections import Detections
from app.evaluation.calibration import Calibration, calibrate
from app.evaluation.matching import MATCH_IOU, Matches, best_threshold, match_all

SIZES_PX = {"small": (0.0, 32.0), "medium": (32.0, 96.0), "large": (96.0, 1e5)}
"""Object sizes by the square root of the box's area, in pixels of the tile; COCO's bounds."""
MOST_PER_TILE = 300
"""Detections per tile that count; as many as `nms.select` keeps."""
FLAT = ("ap50", "ap50_95", "precision", "recall", "threshold", "images", "boxes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Figures of one set; a figure that does not exist (AP without any box) is 0 and told by `boxes`."""

    ap50: float
    """Mean over the classes that occur, IoU .5."""
    ap50_95: float
    """The same, mean over IoU .5, .55, ... .95."""
    precision: float
    """At `threshold`, all classes together, boxes matched at IoU .5."""
    recall: float
    threshold: float
    """The confidence at which F1 is highest, unless one was given."""
    images: int
    boxes: int
    per_class: dict[str, dict[str, float]]
    """ap50, ap50_95, precision, recall and boxes of every class that occurs or was found."""
    per_size: dict[str, dict[str, float]]
    """ap50, ap50_95 and boxes of every size that occurs; bounds in `SIZES_PX`."""
    calibration: Calibration
    """How far confidence and precision agree."""

    def flat(self) -> dict[str, float]:
        """The headline figures."""
        return {name: getattr(self, name) for name in FLAT}

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: the headline figures as flat keys, the tables beside them."""
        return self.flat() | {
            "per_class": self.per_class,
            "per_size": self.per_size,
            "sizes_px": {name: list(bounds) for name, bounds in SIZES_PX.items()},
            "match_iou": MATCH_IOU,
            "calibration": self.calibration.as_dict(),
        }


def score_detections(
    truth: TileSet, detections: Sequence[Detections], *, threshold: float | None = None
) -> Scores:
    """Score one entry of detections per tile, boxes in the tile's own pixels.

    Args:
        truth: tiles with their boxes; tiles without any count, since false alarms lie in them.
        detections: labels index the set's classes.
        threshold: confidence for precision and recall; None takes the one with the highest F1 on this set,
            which flatters a little: give the one found on validation for a fair figure.
    """
    if len(detections) != len(truth):
        raise ValueError(f"{len(detections)} entries of detections for {len(truth)} tiles; give one for each")
    matches = match_all(truth, detections)
    chosen = best_threshold(matches) if threshold is None else threshold
    precision, recall = matches.precision_recall(chosen)
    ap = _ApTable(truth, detections)
    return Scores(
        ap50=ap.mean(ious=slice(0, 1)),
        ap50_95=ap.mean(),
        precision=precision,
        recall=recall,
        threshold=chosen,
        images=len(truth),
        boxes=matches.truths,
        per_class=_per_class(truth, matches, ap, chosen),
        per_size=_per_size(truth, ap),
        calibration=calibrate(matches),
    )


def _per_class(
    truth: TileSet, matches: Matches, ap: "_ApTable", threshold: float
) -> dict[str, dict[str, float]]:
    table = {}
    for label, name in enumerate(truth.class_names):
        mine = matches.of_class(label)
        if not mine.truths and not len(mine.scores):
            continue
        precision, recall = mine.precision_recall(threshold)
        table[name] = {
            "ap50": ap.mean(ious=slice(0, 1), label=label),
            "ap50_95": ap.mean(label=label),
            "precision": precision,
            "recall": recall,
            "boxes": mine.truths,
        }
    return table


def _per_size(truth: TileSet, ap: "_ApTable") -> dict[str, dict[str, float]]:
    boxes = np.concatenate([np.zeros((0, 4)), *(t.boxes_xyxy_px for t in truth.tiles)])
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    table = {}
    for index, (name, (low, high)) in enumerate(SIZES_PX.items(), 1):
        count = int(((sides >= low) & (sides <= high)).sum())
        if count:
            ap50 = ap.mean(ious=slice(0, 1), size=index)
            table[name] = {"ap50": ap50, "ap50_95": ap.mean(size=index), "boxes": count}
    return table


class _ApTable:
    """Precision by (IoU threshold, recall step, class, size); -1 where nothing of that kind occurs."""

    def __init__(self, truth: TileSet, detections: Sequence[Detections]) -> None:
        self._table: NDArray[np.float64] | None = None
        found = _found_rows(detections)
        if found and any(len(t.labels) for t in truth.tiles):  # the library cannot do without either
            self._table = _coco_precision(_truth_dict(truth), found)

    def mean(self, *, ious: slice = slice(None), label: int | None = None, size: int = 0) -> float:
        """Average precision over IoU thresholds and classes; 0 where there is none."""
        if self._table is None:
            return 0.0
        classes = slice(None) if label is None else slice(label, label + 1)
        values = self._table[ious, :, classes, size]
        there = values[values >= 0]
        return float(there.mean()) if there.size else 0.0


def _coco_precision(truth: dict[str, Any], found: list[dict[str, Any]]) -> NDArray[np.float64]:
    from faster_coco_eval import COCO, COCOeval_faster

    reference = COCO(truth)
    evaluation = COCOeval_faster(reference, reference.loadRes(found), "bbox", print_function=_quiet)
    evaluation.params.areaRng = [[0.0, 1e10], *([low**2, high**2] for low, high in SIZES_PX.values())]
    evaluation.params.areaRngLbl = ["all", *SIZES_PX]
    evaluation.params.maxDets = [MOST_PER_TILE]
    evaluation.evaluate()
    evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])[..., -1]


def _quiet(*_values: object) -> None:
    """Takes the library's prints."""


def _truth_dict(truth: TileSet) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image_id, tile in enumerate(truth.tiles, 1):
        for box, label in zip(tile.boxes_xyxy_px.tolist(), tile.labels.tolist(), strict=True):
            width, height = box[2] - box[0], box[3] - box[1]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image_id, "category_id": label + 1, "iscrowd": 0}
                | {"bbox": [box[0], box[1], width, height], "area": width * height}
            )
    return {
        "images": [
            {"id": i, "height": t.height_px, "width": t.width_px, "file_name": t.path.name}
            for i, t in enumerate(truth.tiles, 1)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": n} for i, n in enumerate(truth.class_names, 1)],
    }


def _found_rows(detections: Sequence[Detections]) -> list[dict[str, Any]]:
    return [
        {"image_id": image_id, "category_id": label + 1, "score": score}
        | {"bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}
        for image_id, found in enumerate(detections, 1)
        for box, score, label in zip(
            found.boxes_xyxy_px.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]
