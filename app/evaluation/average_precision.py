"""Average precision by COCO's rules, from faster-coco-eval, which has the published interpolation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import TileSet
from app.detector.detections import Detections

MOST_PER_TILE = 300
"""Detections per tile that count; as many as `nms.select` keeps."""
MOST_AREA_PX, UNCOUNTED_AREA_PX = 1e10, 1e11
"""COCO passes over boxes beyond the areas asked for. As a crowd, its other way to, a box would also take in every
alarm that lies inside of it."""
Bools = NDArray[np.bool_]


class ApTable:
    """Precision by (IoU threshold, recall step, class, size); -1 where nothing of that kind occurs."""

    def __init__(
        self,
        truth: TileSet,
        detections: Sequence[Detections],
        *,
        sizes_px: Mapping[str, tuple[float, float]],
        counted: Sequence[Bools] | None = None,
        ious: Sequence[float] | None = None,
    ) -> None:
        """
        Args:
            ious: IoU thresholds; COCO's ten from .5 to .95 if None.
            sizes_px: bounds of the square root of a box's area, by name.
            counted: for each tile which of its boxes count; what finds another one is neither hit nor alarm.
                All if None.
        """
        self._table: NDArray[np.float64] | None = None
        found = _found_rows(detections)
        if found and any(len(t.labels) for t in truth.tiles):  # the library cannot do without either
            self._table = _coco_precision(_truth_dict(truth, counted), found, sizes_px, ious)

    def mean(self, *, ious: slice = slice(None), label: int | None = None, size: int = 0) -> float:
        """Average precision over IoU thresholds and classes; 0 where there is none.

        Args:
            size: 0 for all, else counted from 1 in the order of `sizes_px`.
        """
        if self._table is None:
            return 0.0
        classes = slice(None) if label is None else slice(label, label + 1)
        values = self._table[ious, :, classes, size]
        there = values[values >= 0]
        return float(there.mean()) if there.size else 0.0


def _coco_precision(
    truth: dict[str, Any],
    found: list[dict[str, Any]],
    sizes_px: Mapping[str, tuple[float, float]],
    ious: Sequence[float] | None,
) -> NDArray[np.float64]:
    from faster_coco_eval import COCO, COCOeval_faster

    reference = COCO(truth)
    evaluation = COCOeval_faster(reference, reference.loadRes(found), "bbox", print_function=_quiet)
    evaluation.params.areaRng = [[0.0, MOST_AREA_PX], *([low**2, high**2] for low, high in sizes_px.values())]
    evaluation.params.areaRngLbl = ["all", *sizes_px]
    if ious is not None:
        evaluation.params.iouThrs = np.asarray(ious)
    evaluation.params.maxDets = [MOST_PER_TILE]
    evaluation.evaluate()
    evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])[..., -1]


def _quiet(*_values: object) -> None:
    """Takes the library's prints."""


def _truth_dict(truth: TileSet, counted: Sequence[Bools] | None) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image_id, tile in enumerate(truth.tiles, 1):
        for place, (box, label) in enumerate(
            zip(tile.boxes_xyxy_px.tolist(), tile.labels.tolist(), strict=True)
        ):
            width, height = box[2] - box[0], box[3] - box[1]
            counts = counted is None or counted[image_id - 1][place]
            area = width * height if counts else UNCOUNTED_AREA_PX
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image_id, "category_id": label + 1}
                | {"iscrowd": 0, "bbox": [box[0], box[1], width, height], "area": area}
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
