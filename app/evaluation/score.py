"""How good detections are: average precision by COCO's rules, precision and recall at one threshold.

AP comes from faster-coco-eval, which computes COCO's figures with the published interpolation.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.dataset.tiles import TileSet
from app.detector.detections import Detections
from app.evaluation.matching import best_threshold, match_all

SIZES_PX = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Bounds of the boxes' areas; COCO's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Figures of one set; a figure that does not exist (AP without any box) is 0 and told by the counts."""

    ap50: float
    ap50_95: float
    precision: float
    """At `threshold`, boxes matched at IoU .5."""
    recall: float
    threshold: float
    """The confidence at which F1 is highest, unless one was given."""
    images: int
    boxes: int
    per_class: dict[str, dict[str, float]]
    """ap50, ap50_95 and boxes of every class that occurs."""
    per_size: dict[str, float]
    """ap50_95 of small (area under 32 x 32 px), medium and large (above 96 x 96 px) boxes that occur."""

    def flat(self) -> dict[str, float]:
        """The headline figures."""
        names = ("ap50", "ap50_95", "precision", "recall", "threshold", "images", "boxes")
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def score_detections(
    truth: TileSet, detections: Sequence[Detections], *, threshold: float | None = None
) -> Scores:
    """Score one entry of detections per tile, boxes in the tile's own pixels.

    Args:
        threshold: confidence for precision and recall; None takes the one with the highest F1 on this set,
            which flatters a little: give the one found on validation for a fair figure.
    """
    if len(detections) != len(truth):
        raise ValueError(f"{len(detections)} entries of detections for {len(truth)} tiles; give one for each")
    matches = match_all(truth, detections)
    chosen = best_threshold(matches) if threshold is None else threshold
    precision, recall = matches.precision_recall(chosen)
    ap = _average_precision(truth, detections)
    return Scores(
        **ap,
        precision=precision,
        recall=recall,
        threshold=chosen,
        images=len(truth),
        boxes=matches.truths,
    )


def _average_precision(truth: TileSet, detections: Sequence[Detections]) -> dict[str, Any]:
    from faster_coco_eval import COCO, COCOeval_faster

    found = _found_rows(detections)
    count = sum(len(t.labels) for t in truth.tiles)
    if not found or not count:
        occurring = {int(v) for t in truth.tiles for v in t.labels}
        per_class = {
            truth.class_names[c]: {"ap50": 0.0, "ap50_95": 0.0, "boxes": float(_class_count(truth, c))}
            for c in sorted(occurring)
        }
        return {"ap50": 0.0, "ap50_95": 0.0, "per_class": per_class, "per_size": {}}
    with contextlib.redirect_stdout(io.StringIO()):  # the library reports its timings there
        reference = COCO(_truth_dict(truth))
        evaluation = COCOeval_faster(reference, reference.loadRes(found), "bbox", print_function=_quiet)
        evaluation.params.maxDets = [1, 10, 300]
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU thresholds, recall steps, classes, areas, max detections); -1 where a class does not occur
    precision = np.asarray(evaluation.eval["precision"])[..., -1]
    per_class = {}
    for index, name in enumerate(truth.class_names):
        boxes = _class_count(truth, index)
        if boxes:
            per_class[name] = {
                "ap50": _mean(precision[0, :, index, 0]),
                "ap50_95": _mean(precision[:, :, index, 0]),
                "boxes": float(boxes),
            }
    per_size = {
        name: _mean(precision[:, :, :, area])
        for area, name in enumerate(SIZES_PX, 1)
        if (precision[:, :, :, area] >= 0).any()
    }
    return {
        "ap50": _mean(precision[0, :, :, 0]),
        "ap50_95": _mean(precision[:, :, :, 0]),
        "per_class": per_class,
        "per_size": per_size,
    }


def _quiet(*_values: object) -> None:
    """Takes the library's prints."""


def _mean(values: Any) -> float:
    there = values[values >= 0]
    return float(there.mean()) if there.size else 0.0


def _class_count(truth: TileSet, label: int) -> int:
    return sum(int((t.labels == label).sum()) for t in truth.tiles)


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
