"""Calibration against bins worked out by hand."""

import json

import numpy as np
import pytest

from app.evaluation.calibration import calibrate
from app.evaluation.matching import Matches


def matches(*rows: tuple[float, bool]) -> Matches:
    return Matches(
        scores=np.array([s for s, _ in rows], float),
        hits=np.array([h for _, h in rows], bool),
        labels=np.zeros(len(rows), np.int64),
        truth_labels=np.zeros(3, np.int64),
    )


def test_error_is_the_weighted_gap() -> None:
    result = calibrate(matches((0.95, True), (0.91, False), (0.31, True), (0.01, False)))
    low, high = result.bins
    assert (low.low, low.high, low.count, low.confidence, low.precision) == pytest.approx(
        (0.3, 0.4, 1, 0.31, 1.0)
    )
    assert (high.count, high.confidence, high.precision) == pytest.approx((2, 0.93, 0.5))
    assert result.expected_error == pytest.approx((1 * 0.69 + 2 * 0.43) / 3)
    assert result.detections == 3
    json.dumps(result.as_dict(), allow_nan=False)


def test_confidence_that_comes_true_has_no_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.05, 1, 40_000)
    hits = rng.uniform(0, 1, 40_000) < scores
    honest = calibrate(matches(*zip(scores.tolist(), hits.tolist(), strict=True)))
    boastful = calibrate(matches(*zip((scores**0.5).tolist(), hits.tolist(), strict=True)))
    assert honest.expected_error < 0.02
    assert boastful.expected_error > 0.1


def test_certainty_falls_into_the_last_bin() -> None:
    assert calibrate(matches((1.0, True))).bins[0].high == 1.0


def test_no_detections_no_error() -> None:
    result = calibrate(matches())
    assert (result.expected_error, result.bins) == (0.0, ())
