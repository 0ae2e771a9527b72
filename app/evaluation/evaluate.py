"""A model over a labelled set: letterboxed batches in, scores out."""

import numpy as np
from numpy.typing import NDArray

from app.dataset.images import read_grey
from app.dataset.letterbox import letterbox
from app.dataset.tiles import LabelledTile, TileSet
from app.detector.detections import Detections, Runtime
from app.errors import DatasetError
from app.evaluation.score import Scores, score_detections
from app.telemetry.progress import Progress, Silent

MIN_SCORE = 0.01
"""Low, because average precision counts the whole curve."""
SIZE_MULTIPLE_PX = 32
"""Height and width that every runtime takes are multiples of this."""


def evaluate_model(
    runtime: Runtime,
    truth: TileSet,
    *,
    size_px: int,
    batch_size: int = 16,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> tuple[Scores, list[Detections]]:
    """Detect in every tile and score.

    Args:
        runtime: its classes are matched with the set's by name; what it finds of a class that the set lacks
            counts as nothing. A model and a set of one class each need no names in common.
        size_px: tiles larger than this are scaled down to it; a multiple of 32. Smaller ones are padded no
            further than they must be.
        threshold: confidence for precision and recall; see `score_detections`.

    Returns:
        The scores, and the detections in each tile's own pixels.

    Raises:
        DatasetError: a tile can no longer be read, or model and set share no class.
    """
    progress = progress or Silent()
    to_set = _class_map(runtime.class_names, truth.class_names)
    found: list[Detections] = []
    progress.start("evaluating", len(truth))
    for start in range(0, len(truth), batch_size):
        tiles = truth.tiles[start : start + batch_size]
        fitted = _fitted(tiles, size_px)
        answers = runtime.detect(np.stack([image for image, _ in fitted]), min_score=MIN_SCORE)
        for answer, (_, scale) in zip(answers, fitted, strict=True):
            found.append(_in_tile_pixels(answer, scale, to_set))
        progress.advance(len(tiles))
    progress.done()
    return score_detections(truth, found, threshold=threshold), found


def _fitted(tiles: tuple[LabelledTile, ...], size_px: int) -> list[tuple[NDArray[np.uint8], float]]:
    """Square images of one size with their scales."""
    largest_px = max(max(t.height_px, t.width_px) for t in tiles)
    side_px = min(size_px, _next_size(largest_px))
    fitted = []
    for tile in tiles:
        image = read_grey(tile.path)
        if image is None:
            raise DatasetError(f"{tile.path} can no longer be read; restore the data set")
        fitted.append(letterbox(image, side_px))
    return fitted


def _next_size(side_px: int) -> int:
    return -(-side_px // SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX


def _class_map(model: tuple[str, ...], data: tuple[str, ...]) -> dict[int, int]:
    by_name = {name: index for index, name in enumerate(data)}
    if len(model) == len(data) == 1:
        return {0: 0}
    shared = {index: by_name[name] for index, name in enumerate(model) if name in by_name}
    if not shared:
        raise DatasetError(
            f"the model knows {', '.join(model)}, the data {', '.join(data)}: no class in common; "
            "rename the classes in the data's data.yaml"
        )
    return shared


def _in_tile_pixels(answer: Detections, scale: float, to_set: dict[int, int]) -> Detections:
    kept = np.asarray([int(label) in to_set for label in answer.labels], dtype=bool)
    labels = np.asarray([to_set[int(label)] for label in answer.labels[kept]], dtype=np.int64)
    boxes = answer.boxes_xyxy_px[kept] / np.float32(scale)
    return Detections(boxes_xyxy_px=boxes, scores=answer.scores[kept], labels=labels)
