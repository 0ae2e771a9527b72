"""A model over a folder of tiles: what it sees, and in whose pixels its answers are scored."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.dataset.tiles import LabelledTile, TileSet
from app.detector.detections import Detections
from app.errors import DatasetError
from app.evaluation.evaluate import evaluate_model


class BrightBlockFinder:
    """Finds the bright rectangle of a tile: a runtime whose right answer is known."""

    description = "bright block finder"

    def __init__(self, class_names: tuple[str, ...] = ("ship", "target"), label: int = 1) -> None:
        self.class_names = class_names
        self.label = label
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        assert images_BHW.dtype == np.uint8
        self.shapes.append(images_BHW.shape)
        return [self._one(image) for image in images_BHW]

    def _one(self, image: NDArray[np.uint8]) -> Detections:
        y, x = np.nonzero(image > 128)
        rows = [[x.min(), y.min(), x.max() + 1, y.max() + 1]] if len(x) else []
        return Detections(
            boxes_xyxy_px=np.array(rows, np.float32).reshape(-1, 4),
            scores=np.full(len(rows), 0.9, np.float32),
            labels=np.full(len(rows), self.label, np.int64),
        )


def tile_on_disk(folder: Path, name: str, side: int, box: tuple[int, int, int, int] | None) -> LabelledTile:
    image = np.full((side, side), 40, np.uint8)
    if box is not None:
        image[box[1] : box[3], box[0] : box[2]] = 250
    cv2.imwrite(str(folder / name), image)
    boxes = np.array([box] if box is not None else [], np.float32).reshape(-1, 4)
    return LabelledTile(
        path=folder / name,
        height_px=side,
        width_px=side,
        boxes_xyxy_px=boxes,
        labels=np.zeros(len(boxes), np.int64),
    )


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    made = (
        tile_on_disk(tmp_path, "small.png", 64, (8, 16, 32, 40)),
        tile_on_disk(tmp_path, "large.png", 256, (60, 80, 180, 200)),
        tile_on_disk(tmp_path, "empty.png", 128, None),
    )
    return TileSet(root=tmp_path, class_names=("target",), tiles=made)


def test_boxes_are_scored_in_the_tiles_own_pixels(tiles: TileSet) -> None:
    runtime = BrightBlockFinder()
    scores, found = evaluate_model(runtime, tiles, size_px=128, batch_size=2)
    assert runtime.shapes == [(2, 128, 128), (1, 128, 128)]
    evaluate_model(runtime, tiles, size_px=640, batch_size=1)
    assert runtime.shapes[2:] == [(1, 64, 64), (1, 256, 256), (1, 128, 128)]
    assert scores.ap50 == 1.0
    assert (scores.images, scores.boxes) == (3, 2)
    assert found[0].boxes_xyxy_px[0] == pytest.approx([8, 16, 32, 40])
    assert found[1].boxes_xyxy_px[0] == pytest.approx([60, 80, 180, 200], abs=2)
    assert found[0].labels.tolist() == [0]  # the model's 1 is the set's 0


def test_class_that_the_set_lacks_counts_as_nothing(tiles: TileSet) -> None:
    scores, found = evaluate_model(BrightBlockFinder(label=0), tiles, size_px=128)
    assert (scores.ap50, scores.precision) == (0, 0)
    assert all(len(d) == 0 for d in found)


def test_one_class_each_needs_no_common_name(tiles: TileSet) -> None:
    scores, _ = evaluate_model(BrightBlockFinder(class_names=("mine",), label=0), tiles, size_px=128)
    assert scores.ap50 == 1.0


def test_no_class_in_common_is_told(tiles: TileSet) -> None:
    with pytest.raises(
        DatasetError, match="the model knows ship, plane, the data target: no class in common"
    ):
        evaluate_model(BrightBlockFinder(class_names=("ship", "plane")), tiles, size_px=128)


def test_tile_that_has_gone_is_named(tiles: TileSet) -> None:
    tiles.tiles[1].path.unlink()
    with pytest.raises(DatasetError, match=r"large\.png can no longer be read; restore the data set"):
        evaluate_model(BrightBlockFinder(), tiles, size_px=128)


def test_given_threshold_reaches_the_scores(tiles: TileSet) -> None:
    scores, _ = evaluate_model(BrightBlockFinder(), tiles, size_px=128, threshold=0.95)
    assert (scores.threshold, scores.recall) == (0.95, 0.0)
