"""Scores against values worked out by hand and against a second, slow reading of COCO's rules."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from app.dataset.tiles import LabelledTile, TileSet
from app.detector.detections import Detections
from app.evaluation.matching import match_tile
from app.evaluation.score import Scores, score_detections

BOX_A, BOX_B, ELSEWHERE = (10, 10, 50, 50), (100, 100, 160, 160), (200, 0, 240, 40)


def tile(*boxes: tuple[float, ...], labels: tuple[int, ...] | None = None) -> LabelledTile:
    return LabelledTile(
        path=Path("tile.png"),
        height_px=256,
        width_px=256,
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels or (0,) * len(boxes), np.int64),
    )


def tile_set(*tiles: LabelledTile, classes: tuple[str, ...] = ("target",)) -> TileSet:
    return TileSet(root=Path(), class_names=classes, tiles=tiles)


def found(*rows: tuple[tuple[float, ...], float], labels: tuple[int, ...] | None = None) -> Detections:
    return Detections(
        boxes_xyxy_px=np.array([box for box, _ in rows], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in rows], np.float32),
        labels=np.array(labels or (0,) * len(rows), np.int64),
    )


def test_false_alarm_between_two_hits_costs_what_the_interpolation_says() -> None:
    # Recall 0 to .5 at precision 1 (51 of the 101 recall steps), above at 2/3 (50 steps).
    scores = score_detections(
        tile_set(tile(BOX_A, BOX_B)), [found((BOX_A, 0.9), (ELSEWHERE, 0.8), (BOX_B, 0.7))]
    )
    assert scores.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert scores.ap50_95 == pytest.approx(scores.ap50)
    assert (scores.precision, scores.recall) == pytest.approx((2 / 3, 1.0))
    assert scores.threshold == pytest.approx(0.7)
    assert (scores.images, scores.boxes) == (1, 2)


def test_box_of_lower_overlap_counts_at_fewer_thresholds() -> None:
    # 40 x 40 against 40 x 30: IoU .75, so a hit at .50, .55, .60, .65, .70 and .75 of ten thresholds.
    scores = score_detections(tile_set(tile(BOX_A)), [found(((10, 10, 50, 40), 0.9))])
    assert scores.ap50 == 1.0
    assert scores.ap50_95 == pytest.approx(0.6)


def test_second_detection_of_the_same_box_is_a_false_alarm() -> None:
    scores = score_detections(
        tile_set(tile(BOX_A)), [found((BOX_A, 0.9), ((11, 10, 51, 50), 0.8))], threshold=0.5
    )
    assert (scores.precision, scores.recall) == (0.5, 1.0)


def test_false_alarm_in_a_tile_without_boxes_counts() -> None:
    tiles = tile_set(tile(BOX_A), tile())
    scores = score_detections(tiles, [found((BOX_A, 0.6)), found((ELSEWHERE, 0.9))])
    assert scores.ap50 == pytest.approx(0.5)
    assert scores.precision == 0.5


def test_given_threshold_is_kept_and_reported() -> None:
    scores = score_detections(
        tile_set(tile(BOX_A, BOX_B)), [found((BOX_A, 0.9), (BOX_B, 0.3))], threshold=0.5
    )
    assert (scores.precision, scores.recall, scores.threshold) == (1.0, 0.5, 0.5)


def test_equal_confidences_pass_a_threshold_together() -> None:
    scores = score_detections(tile_set(tile(BOX_A)), [found((BOX_A, 0.9), (ELSEWHERE, 0.9))])
    assert (scores.precision, scores.recall) == (0.5, 1.0)


def test_threshold_is_chosen_between_groups_of_equal_confidence() -> None:
    # The second hit stands among three false alarms of the same confidence: with them F1 is 4/7, without 2/3.
    tied = ((BOX_B, 0.8), (ELSEWHERE, 0.8), ((0, 200, 9, 209), 0.8), ((240, 240, 250, 250), 0.8))
    scores = score_detections(tile_set(tile(BOX_A, BOX_B)), [found((BOX_A, 0.9), *tied)])
    assert scores.threshold == pytest.approx(0.9)
    assert (scores.precision, scores.recall) == (1.0, 0.5)


def test_classes_are_scored_apart_and_averaged() -> None:
    tiles = tile_set(tile(BOX_A, BOX_B, labels=(0, 1)), classes=("target", "ship", "aircraft"))
    scores = score_detections(tiles, [found((BOX_A, 0.9), (BOX_B, 0.8), labels=(0, 0))])
    assert set(scores.per_class) == {"target", "ship"}
    assert scores.per_class["target"]["ap50"] == 1.0
    assert scores.per_class["ship"] == {"ap50": 0, "ap50_95": 0, "precision": 0, "recall": 0, "boxes": 1}
    assert scores.ap50 == 0.5


def test_sizes_are_told_apart_at_32_and_96_pixels() -> None:
    small, large = (0, 0, 20, 20), (50, 50, 200, 200)
    scores = score_detections(tile_set(tile(small, BOX_B, large)), [found((BOX_B, 0.9), (large, 0.8))])
    assert {name: row["ap50"] for name, row in scores.per_size.items()} == {
        "small": 0.0,
        "medium": 1.0,
        "large": 1.0,
    }
    assert scores.as_dict()["sizes_px"]["medium"] == [32.0, 96.0]


@pytest.mark.parametrize(
    ("tiles", "detections", "boxes"),
    [
        (tile_set(tile(BOX_A)), [found()], 1),
        (tile_set(tile(), tile()), [found(), found((BOX_A, 0.9))], 0),
        (tile_set(tile()), [found()], 0),
        (tile_set(), [], 0),
    ],
)
def test_nothing_found_or_nothing_to_find_gives_zeros(
    tiles: TileSet, detections: list[Detections], boxes: int
) -> None:
    scores = score_detections(tiles, detections)
    assert (scores.ap50, scores.ap50_95, scores.precision, scores.recall) == (0, 0, 0, 0)
    assert scores.boxes == boxes


def test_json_has_the_flat_keys_and_nothing_that_json_lacks(capfd: pytest.CaptureFixture[str]) -> None:
    scores = score_detections(tile_set(tile(BOX_A)), [found((BOX_A, 0.9))])
    again = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert {"ap50", "ap50_95", "precision", "recall", "images", "boxes"} <= set(again)
    assert again["calibration"]["expected_error"] == pytest.approx(0.1)
    assert capfd.readouterr() == ("", "")


def test_one_entry_per_tile_is_demanded() -> None:
    with pytest.raises(ValueError, match="1 entries of detections for 2 tiles"):
        score_detections(tile_set(tile(), tile()), [found()])


def random_case(seed: int) -> tuple[TileSet, list[Detections]]:
    rng = np.random.default_rng(seed)
    tiles, detections = [], []
    for _ in range(12):
        corner = rng.uniform(0, 150, (rng.integers(0, 4), 2))
        boxes = np.hstack([corner, corner + rng.uniform(15, 90, corner.shape)])
        labels = rng.integers(0, 2, len(boxes))
        near = boxes + rng.normal(0, 6, boxes.shape)
        corner = rng.uniform(0, 150, (2, 2))
        far = np.hstack([corner, corner + 30])
        all_found = np.vstack([near, far])
        tiles.append(tile(*map(tuple, boxes), labels=tuple(labels.tolist())))
        detections.append(
            found(
                *((tuple(b), s) for b, s in zip(all_found, rng.uniform(0, 1, len(all_found)), strict=True)),
                labels=(*labels.tolist(), *rng.integers(0, 2, 2).tolist()),
            )
        )
    return tile_set(*tiles, classes=("target", "ship")), detections


def slow_ap(tiles: TileSet, detections: list[Detections], *, label: int, iou: float) -> float:
    """101-point interpolated average precision, as the text of COCO's rules has it."""
    rows = []
    for t, d in zip(tiles.tiles, detections, strict=True):
        hits = match_tile(t, d, iou=iou)
        rows += [(float(s), bool(h)) for s, h, c in zip(d.scores, hits, d.labels, strict=True) if c == label]
    rows.sort(key=lambda row: -row[0])
    truths = sum(int((t.labels == label).sum()) for t in tiles.tiles)
    points, hit_count = [], 0
    for rank, (_, hit) in enumerate(rows, 1):
        hit_count += hit
        points.append((hit_count / truths, hit_count / rank))
    steps = (max((p for r, p in points if r >= step / 100 - 1e-12), default=0.0) for step in range(101))
    return math.fsum(steps) / 101


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_agrees_with_a_slow_second_reading(seed: int) -> None:
    tiles, detections = random_case(seed)
    scores: Scores = score_detections(tiles, detections)
    ious = np.arange(0.5, 0.951, 0.05)
    table = np.array([[slow_ap(tiles, detections, label=c, iou=i) for i in ious] for c in (0, 1)])
    assert 0.05 < scores.ap50_95 < 0.95
    assert scores.ap50 == pytest.approx(table[:, 0].mean(), abs=1e-9)
    assert scores.ap50_95 == pytest.approx(table.mean(), abs=1e-9)
