"""Suppression keeps the best box of each object, and agrees with torchvision's on random boxes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.detector.nms import MOST_CANDIDATES, pairwise_iou, select, suppress, vote

A, A_SHIFTED, B = (0, 0, 40, 40), (4, 0, 44, 40), (100, 100, 120, 140)


def boxes(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


def scores(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def test_overlapping_box_gives_way_to_the_better_one() -> None:
    found = select(boxes(A, A_SHIFTED, B), scores((0.6,), (0.9,), (0.5,)), min_score=0.1)
    assert found.scores == pytest.approx([0.9, 0.5])
    assert found.boxes_xyxy_px.tolist() == [list(A_SHIFTED), list(B)]
    assert found.boxes_xyxy_px.dtype == found.scores.dtype == np.float32
    assert found.labels.dtype == np.int64


def test_overlap_up_to_the_limit_stays() -> None:
    # 36 x 40 of 44 x 40: IoU 36 / 44.
    pair = boxes(A, A_SHIFTED)
    assert len(select(pair, scores((0.6,), (0.9,)), min_score=0.1, iou=0.83)) == 2
    assert len(select(pair, scores((0.6,), (0.9,)), min_score=0.1, iou=0.81)) == 1


def test_classes_suppress_one_another_only_on_request() -> None:
    both = boxes(A, A)
    values = scores((0.9, 0.0), (0.0, 0.8))
    assert select(both, values, min_score=0.1).labels.tolist() == [0, 1]
    assert select(both, values, min_score=0.1, iou_across_classes=0.7).labels.tolist() == [0]


def test_one_cell_may_answer_two_classes() -> None:
    found = select(boxes(A), scores((0.9, 0.4)), min_score=0.3)
    assert found.labels.tolist() == [0, 1]


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_above_the_threshold_gives_empty_arrays(count: int) -> None:
    found = select(boxes(*[A] * count), np.full((count, 2), 0.1, np.float32), min_score=0.5)
    assert len(found) == 0
    assert found.boxes_xyxy_px.shape == (0, 4)


def test_score_equal_to_the_threshold_passes() -> None:
    assert len(select(boxes(A), scores((0.5,)), min_score=0.5)) == 1


def test_values_that_are_not_finite_never_pass() -> None:
    bad = boxes(A, (np.nan, 0, 1, 1), (0, 0, np.inf, 1), B)
    found = select(bad, scores((np.nan,), (0.9,), (0.8,), (0.7,)), min_score=0.1)
    assert found.boxes_xyxy_px.tolist() == [list(B)]


def test_at_most_so_many_are_kept() -> None:
    apart = boxes(*[(100 * i, 0, 100 * i + 50, 50) for i in range(20)])
    values = np.linspace(0.1, 0.9, 20, dtype=np.float32)[:, None]
    found = select(apart, values, min_score=0.1, most=3)
    assert found.scores == pytest.approx(values[::-1][:3, 0])


def test_boxes_without_area_do_not_disturb() -> None:
    found = select(boxes((5, 5, 5, 5), (5, 5, 5, 5), A), scores((0.9,), (0.8,), (0.7,)), min_score=0.1)
    assert len(found) == 3


@pytest.mark.parametrize(("seed", "limit"), [(0, 0.3), (1, 0.5), (2, 0.7)])
def test_agrees_with_torchvision(seed: int, limit: float) -> None:
    from torchvision.ops import batched_nms

    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 200, (600, 2))
    many = np.hstack([corner, corner + rng.uniform(10, 90, (600, 2))]).astype(np.float32)
    confidence = np.sort(rng.permutation(600) / 600).astype(np.float32)[::-1].copy()
    labels = rng.integers(0, 3, 600)
    kept = suppress(many, labels, iou=limit, most=600)
    expected = batched_nms(
        torch.from_numpy(many), torch.from_numpy(confidence), torch.from_numpy(labels), limit
    )
    assert 20 < len(kept) < 600
    assert kept.tolist() == expected.tolist()


def test_candidates_are_limited_to_the_best() -> None:
    count = MOST_CANDIDATES + 500
    apart = boxes(*[(3 * i, 0, 3 * i + 1, 1) for i in range(count)])
    values = np.linspace(0.2, 0.9, count, dtype=np.float32)[:, None]
    found = select(apart, values, min_score=0.1, most=count)
    assert len(found) == MOST_CANDIDATES
    assert found.scores[0] == pytest.approx(0.9)


def test_iou_of_pairs() -> None:
    table = pairwise_iou(boxes(A, (0, 0, 0, 0)), boxes(A, (0, 0, 20, 40), B))
    assert table == pytest.approx(np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]))


def test_boxes_vote_by_score_within_their_class() -> None:
    given = boxes(A, A_SHIFTED, B, (0, 0, 40, 10))
    given_scores = scores((0.75, 0.0), (0.25, 0.5), (0.5, 0.0), (0.7, 0.0))
    kept = select(given, given_scores, min_score=0.3)
    voted = vote(kept, given, given_scores)
    assert voted.scores is kept.scores
    answers = zip(voted.labels.tolist(), voted.scores.tolist(), voted.boxes_xyxy_px.tolist(), strict=True)
    assert sorted((label, round(score, 2), box) for label, score, box in answers) == [
        (0, 0.5, list(B)),
        (0, 0.7, [0, 0, 40, 10]),
        (0, 0.75, [1, 0, 41, 40]),
        (1, 0.5, list(A_SHIFTED)),
    ]


def test_nothing_kept_needs_no_vote_and_broken_boxes_have_none() -> None:
    given = boxes(A, (np.nan, 0, np.inf, 40))
    assert len(vote(select(given, scores((0.1,), (0.1,)), min_score=0.5), given, scores((0.1,), (0.1,)))) == 0
    kept = select(given, scores((0.9,), (0.8,)), min_score=0.5)
    assert vote(kept, given, scores((0.9,), (0.8,))).boxes_xyxy_px.tolist() == [list(A)]
