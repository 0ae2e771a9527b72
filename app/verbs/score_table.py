"""Scores as lines for a terminal."""

from collections.abc import Iterator

from app.evaluation.score import SIZES_PX, Scores


def score_lines(scores: Scores) -> Iterator[str]:
    """Headline, then a line per class and per size."""
    yield (
        f"AP50 {scores.ap50:.3f}  AP50:95 {scores.ap50_95:.3f}  precision {scores.precision:.3f}  "
        f"recall {scores.recall:.3f} at confidence {scores.threshold:.2f}"
    )
    yield f"{scores.boxes} boxes in {scores.images} tiles"
    for name, figures in scores.per_class.items():
        yield _line(name, figures)
    for name in SIZES_PX:
        if name in scores.per_size:
            yield _line(name, scores.per_size[name])


def _line(name: str, figures: dict[str, float]) -> str:
    boxes = int(figures["boxes"])
    return f"  {name:<12} AP50 {figures['ap50']:.3f}  AP50:95 {figures['ap50_95']:.3f}  {boxes} boxes"
