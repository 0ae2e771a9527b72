"""Detections into objects."""

import random

import pytest

from app.sonar.waterfall import Side
from app.survey.boxes import SeabedBox, contained, iou
from app.survey.merge import merge_boxes


def box(start: float, end: float, near: float, far: float, **changes: object) -> SeabedBox:
    """A whole box of class 0 with score .8 unless told otherwise."""
    values: dict[str, object] = {"side": Side.PORT, "label": 0, "score": 0.8}
    return SeabedBox(start_ping=start, end_ping=end, near_m=near, far_m=far, **(values | changes))  # type: ignore[arg-type]


def test_overlap_is_measured_in_pings_and_metres() -> None:
    assert iou(box(0, 10, 0, 4), box(5, 15, 0, 4)) == pytest.approx(1 / 3)
    assert contained(box(0, 10, 0, 4), box(2, 4, 1, 2)) == 1.0
    assert iou(box(0, 10, 0, 4), box(10, 20, 0, 4)) == 0.0


def test_the_same_object_in_two_tiles_is_one_with_averaged_edges() -> None:
    (merged,) = merge_boxes([box(100, 120, 10, 14, score=0.9), box(102, 122, 10, 14, score=0.6)])
    assert merged.box.score == 0.9
    assert merged.box.start_ping == pytest.approx(100.8)
    assert len(merged.members) == 2


def test_neighbours_and_sides_stay_apart() -> None:
    apart = [box(0, 10, 0, 4), box(0, 10, 4, 8), box(11, 20, 0, 4), box(0, 10, 0, 4, side=Side.STARBOARD)]
    assert len(merge_boxes(apart)) == 4


def test_the_tile_where_an_object_is_whole_is_believed() -> None:
    whole = box(100, 140, 10, 14, score=0.6)
    cut = box(100, 125, 10, 14, score=0.95, cut_end=True)
    (merged,) = merge_boxes([cut, whole])
    assert (merged.box.start_ping, merged.box.end_ping) == (100, 140)
    assert merged.box.score == 0.95


def test_two_halves_cut_at_one_seam_are_joined() -> None:
    first = box(0, 100, 10, 20, cut_end=True)
    second = box(80, 170, 10.5, 20, cut_start=True, score=0.7)
    (merged,) = merge_boxes([first, second])
    assert (merged.box.start_ping, merged.box.end_ping, merged.box.near_m) == (0, 170, 10)
    assert not merged.box.cut


def test_three_pieces_are_joined_through_the_middle_one() -> None:
    pieces = [
        box(0, 100, 10, 20, cut_end=True),
        box(80, 180, 10, 20, cut_start=True, cut_end=True),
        box(160, 240, 10, 20, cut_start=True),
    ]
    (merged,) = merge_boxes(pieces)
    assert (merged.box.start_ping, merged.box.end_ping) == (0, 240)


def test_a_seam_across_track_is_joined_too() -> None:
    pieces = [box(0, 50, 10, 20, cut_far=True), box(2, 50, 18, 30, cut_near=True)]
    (merged,) = merge_boxes(pieces)
    assert (merged.box.near_m, merged.box.far_m) == (10, 30)


def test_a_ship_takes_in_its_fragments_but_no_target_beside_or_on_it() -> None:
    ship = box(0, 300, 10, 40, label=1, score=0.8, coarse=True)
    fragment = box(50, 90, 15, 25, label=1, score=0.9)
    target = box(100, 110, 12, 14, label=0)
    merged = merge_boxes([fragment, ship, target])
    assert len(merged) == 2
    large = next(m for m in merged if m.box.label == 1)
    assert (large.box.start_ping, large.box.end_ping, large.box.score) == (0, 300, 0.9)


def test_a_weak_large_box_does_not_swallow_a_sure_small_one() -> None:
    (merged,) = merge_boxes([box(0, 300, 0, 40, score=0.3), box(50, 60, 5, 8, score=0.9)])
    assert (merged.box.start_ping, merged.box.end_ping) == (50, 60)


def test_two_names_for_one_place_are_one_contact_with_the_better() -> None:
    (merged,) = merge_boxes([box(0, 100, 0, 20, label=1, score=0.7), box(2, 100, 0, 20, label=2, score=0.8)])
    assert merged.box.label == 2
    assert merged.box.score == 0.8


def test_order_does_not_matter_and_nothing_is_lost() -> None:
    rng = random.Random(7)
    boxes = [
        box(
            s,
            s + rng.uniform(5, 60),
            n,
            n + rng.uniform(1, 10),
            score=rng.uniform(0.4, 1),
            label=rng.randrange(2),
        )
        for s, n in ((rng.uniform(0, 500), rng.uniform(0, 40)) for _ in range(60))
    ]
    expected = merge_boxes(boxes)
    assert sum(len(m.members) for m in expected) == 60
    for _ in range(5):
        rng.shuffle(boxes)
        assert {m.box for m in merge_boxes(boxes)} == {m.box for m in expected}


def test_nothing_gives_nothing() -> None:
    assert merge_boxes([]) == []
