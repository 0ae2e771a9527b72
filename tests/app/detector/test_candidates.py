"""Boxes of chosen cells are what torch computes for them, and detections what `select` makes of every cell."""

from typing import Any

import numpy as np
import pytest
import torch

from app.detector.candidates import BoxHead, CellAnswers, sigmoid
from app.detector.export import _Exported
from app.detector.nms import select
from app.detector.torch_runtime import _box_head, fused
from tests.app.detector.test_export import expected, lively_model

IMAGES = np.random.default_rng(3).integers(0, 256, (2, 96, 160), dtype=np.uint8)


@pytest.fixture(scope="module")
def answers() -> tuple[CellAnswers, BoxHead]:
    plain = fused(lively_model())
    with torch.inference_mode():
        _, _, _, neck, logits = _Exported(plain)(torch.from_numpy(IMAGES))
    head = _box_head(plain)
    assert head is not None
    return CellAnswers(logits.numpy(), neck.permute(0, 2, 3, 1).numpy()), head


def truth() -> list[np.ndarray[Any, Any]]:
    return expected(lively_model(), IMAGES)


def test_boxes_are_torchs_in_the_middle_and_at_every_edge(answers: tuple[CellAnswers, BoxHead]) -> None:
    cells, head = answers
    every = np.arange(cells.neck_BhwF.shape[1] * cells.neck_BhwF.shape[2])
    boxes = head.boxes(cells.neck_BhwF[1], every)
    assert boxes[:, 2].std() > 5  # else any constant would pass
    assert boxes == pytest.approx(truth()[0][1], abs=2e-3)
    few = np.array([0, 19, 37, 220, 239])
    assert head.boxes(cells.neck_BhwF[1], few) == pytest.approx(boxes[few], abs=1e-4)


def test_no_cell_gives_no_box(answers: tuple[CellAnswers, BoxHead]) -> None:
    cells, head = answers
    assert head.boxes(cells.neck_BhwF[0], np.array([], dtype=int)).shape == (0, 4)


@pytest.mark.parametrize("min_score", [0.0, 0.05, 0.4, 0.5, 1.0])
def test_detects_what_select_finds_among_all_cells(
    answers: tuple[CellAnswers, BoxHead], min_score: float
) -> None:
    cells, head = answers
    found = cells.detect(head, min_score=min_score)
    assert (sum(len(d) for d in found) > 3) is (min_score < 1)
    for one, boxes, scores in zip(found, *truth(), strict=True):
        other = select(boxes, scores, min_score=min_score)
        assert one.labels.tolist() == other.labels.tolist()
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert one.boxes_xyxy_px == pytest.approx(other.boxes_xyxy_px, abs=2e-3)


def test_neck_of_small_integers_counts_in_its_own_steps(answers: tuple[CellAnswers, BoxHead]) -> None:
    cells, head = answers
    neck = cells.neck_BhwF[0]
    step = float(neck.max()) / 250
    integers = (np.round(neck / step) + 5).astype(np.uint8)
    small = BoxHead(
        hidden_weight=head.hidden_weight,
        hidden_bias=head.hidden_bias,
        answer_weight=head.answer_weight,
        answer_bias=head.answer_bias,
        neck_scale=step,
        neck_zero=5,
    )
    chosen = np.array([0, 50, 100])
    rounded = (integers.astype(np.float32) - 5) * np.float32(step)
    assert small.boxes(integers, chosen) == pytest.approx(head.boxes(rounded, chosen), abs=1e-3)


def test_more_cells_than_suppression_looks_at_keep_the_best(answers: tuple[CellAnswers, BoxHead]) -> None:
    _, head = answers
    rng = np.random.default_rng(0)
    features = head.hidden_weight.shape[0] // 9
    logits = rng.normal(size=(1, 2, 48, 48)).astype(np.float32)
    neck = rng.random((1, 48, 48, features), dtype=np.float32)
    (found,) = CellAnswers(logits, neck).detect(head, min_score=0.01)
    boxes = head.boxes(neck[0], np.arange(48 * 48))
    other = select(boxes, sigmoid(logits[0].reshape(2, -1).T), min_score=0.01)
    assert len(other) > 20
    assert found.labels.tolist() == other.labels.tolist()
    assert found.boxes_xyxy_px == pytest.approx(other.boxes_xyxy_px, abs=1e-4)


def test_answers_that_are_no_number_never_pass(answers: tuple[CellAnswers, BoxHead]) -> None:
    cells, head = answers
    logits = np.full_like(cells.class_logits_BChw, np.nan)
    assert all(len(d) == 0 for d in CellAnswers(logits, cells.neck_BhwF).detect(head, min_score=0.0))


def test_scores_of_large_logits_do_not_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0, 1e4], np.float32)).tolist() == pytest.approx([0, 0.5, 1])
