"""AP and recall by size on the seabed and by distance from the track."""

from dataclasses import replace

import pytest

from app.dataset.geometry import TileGeometry
from app.evaluation.score import score_detections
from tests.app.evaluation.test_score import BOX_A, BOX_B, ELSEWHERE, found, tile, tile_set

PLACE = TileGeometry(pixel_m=0.05, near_m=10.0)  # BOX_A 2 m at 11.5 m, BOX_B 3 m at 16.5 m


def test_objects_are_told_apart_by_distance_and_size() -> None:
    tiles = tile_set(replace(tile(BOX_A, BOX_B), geometry=PLACE))
    scores = score_detections(tiles, [found((BOX_A, 0.9), (ELSEWHERE, 0.8))], threshold=0.5)
    near, far = scores.per_range_m["under 15 m"], scores.per_range_m["15 to 30 m"]
    assert (near["ap50"], near["recall"], near["boxes"]) == (1.0, 1.0, 1)
    assert (far["ap50"], far["recall"], far["boxes"]) == (0.0, 0.0, 1)
    assert {name: row["boxes"] for name, row in scores.per_size_m.items()} == {"2 to 5 m": 2}
    assert scores.per_size_m["2 to 5 m"]["recall"] == 0.5


def test_an_alarm_counts_in_its_own_band_alone() -> None:
    # ELSEWHERE lies 21 m from the track: it costs precision there, and none near the track.
    tiles = tile_set(replace(tile(BOX_A, BOX_B), geometry=PLACE))
    alarm = found((ELSEWHERE, 0.95), (BOX_A, 0.9), (BOX_B, 0.8))
    scores = score_detections(tiles, [alarm])
    assert scores.per_range_m["under 15 m"]["ap50"] == 1.0
    assert scores.per_range_m["15 to 30 m"]["ap50"] == pytest.approx(0.5)


def test_what_finds_an_object_of_another_band_is_no_alarm() -> None:
    # A detection just inside the near band that finds a box just outside of it.
    box, seen = (75, 100, 135, 140), (70, 100, 125, 140)  # middles at 15.25 m and 14.9 m
    tiles = tile_set(replace(tile(BOX_A, box), geometry=PLACE))
    scores = score_detections(tiles, [found((seen, 0.9), (BOX_A, 0.8))])
    assert scores.per_range_m["under 15 m"]["ap50"] == 1.0
    assert scores.per_range_m["15 to 30 m"]["recall"] == 1.0


def test_an_alarm_inside_an_object_of_another_band_is_one() -> None:
    # A small alarm on a large object has not found it: with another object's overlap it would be an alarm too.
    large, small, alarm = (0, 0, 300, 300), (350, 350, 370, 370), (10, 10, 30, 30)
    scores = score_detections(tile_set(tile(large, small)), [found((alarm, 0.9), (small, 0.8), (large, 0.7))])
    assert scores.per_size["small"]["ap50"] == pytest.approx(0.5)
    assert scores.per_size["large"]["ap50"] == 1.0


def test_tiles_of_unknown_geometry_are_in_no_band() -> None:
    tiles = tile_set(replace(tile(BOX_A), geometry=PLACE), tile(BOX_B))
    scores = score_detections(tiles, [found((BOX_A, 0.9)), found()])
    assert sum(row["boxes"] for row in scores.per_range_m.values()) == 1
    assert score_detections(tile_set(tile(BOX_A)), [found()]).per_range_m == {}


def test_recall_by_pixels_is_that_at_the_threshold() -> None:
    small = (0, 0, 20, 20)
    scores = score_detections(
        tile_set(tile(small, BOX_B)), [found((small, 0.3), (BOX_B, 0.8))], threshold=0.5
    )
    assert {name: row["recall"] for name, row in scores.per_size.items()} == {"small": 0.0, "medium": 1.0}
