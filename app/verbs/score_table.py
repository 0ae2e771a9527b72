"""Scores as lines for a terminal."""

from collections.abc import Iterator

from app.evaluation.bands import Bands
from app.evaluation.score import Scores


def score_lines(scores: Scores) -> Iterator[str]:
    """Headline, then a line per class, per size and per distance, and how far confidence can be believed."""
    yield (
        f"AP50 {scores.ap50:.3f}  AP50:95 {scores.ap50_95:.3f}  precision {scores.precision:.3f}  "
        f"recall {scores.recall:.3f} at confidence {scores.threshold:.2f}"
    )
    yield f"{scores.boxes} boxes in {scores.images} tiles"
    yield from _lines(scores.per_class)
    yield from _lines(scores.per_size)
    if scores.per_size_m:
        yield "by size on the seabed:"
        yield from _lines(scores.per_size_m)
        yield "by distance from the track:"
        yield from _lines(scores.per_range_m)
    calibration = scores.calibration
    yield (
        f"calibration: confidence and precision differ by {calibration.expected_error:.3f} "
        f"({calibration.detections} detections)"
    )


def _lines(table: Bands) -> Iterator[str]:
    for name, figures in table.items():
        yield (
            f"  {name:<12} AP50 {figures['ap50']:.3f}  AP50:95 {figures['ap50_95']:.3f}  "
            f"recall {figures['recall']:.3f}  {int(figures['boxes'])} boxes"
        )
