"""How good detections are: average precision by COCO's rules, precision and recall at one threshold, by class,
size and distance; how far confidence can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.dataset.tiles import TileSet
from app.detector.detections import Detections
from app.evaluation.average_precision import ApTable
from app.evaluation.bands import RANGES_M, SIZES_M, SIZES_PX, Bands, by_range_m, by_size_m, by_size_px
from app.evaluation.calibration import Calibration, calibrate
from app.evaluation.matching import MATCH_IOU, Matches, best_threshold, match_all

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
    per_size: Bands
    """ap50, ap50_95, recall and boxes of every size in pixels that occurs; bounds in `SIZES_PX`."""
    per_size_m: Bands
    """The same in metres, of the tiles whose geometry is known; bounds in `SIZES_M`."""
    per_range_m: Bands
    """The same by distance from the track; bounds in `RANGES_M`."""
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
            "per_size_m": self.per_size_m,
            "per_range_m": self.per_range_m,
            "sizes_px": {name: list(bounds) for name, bounds in SIZES_PX.items()},
            "sizes_m": {name: list(bounds) for name, bounds in SIZES_M.items()},
            "ranges_m": {name: list(bounds) for name, bounds in RANGES_M.items()},
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
    ap = ApTable(truth, detections, sizes_px={})
    return Scores(
        ap50=ap.mean(ious=slice(0, 1)),
        ap50_95=ap.mean(),
        precision=precision,
        recall=recall,
        threshold=chosen,
        images=len(truth),
        boxes=matches.truths,
        per_class=_per_class(truth, matches, ap, chosen),
        per_size=by_size_px(truth, detections, chosen),
        per_size_m=by_size_m(truth, detections, chosen),
        per_range_m=by_range_m(truth, detections, chosen),
        calibration=calibrate(matches),
    )


def _per_class(
    truth: TileSet, matches: Matches, ap: ApTable, threshold: float
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
