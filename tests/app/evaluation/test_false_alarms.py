"""Thresholds for a rate of false alarms, and how sure that rate is, against printed tables."""

import json

import pytest

from app.evaluation.false_alarms import EmptyGround, poisson_upper, strictest


def ground(*scores: float, area_km2: float = 2.0, labelled: bool = True) -> EmptyGround:
    return EmptyGround(
        name="empty lines", area_km2=area_km2, scores=scores, least_score=0.1, labelled=labelled
    )


@pytest.mark.parametrize(
    ("count", "bound"), [(0, 2.996), (1, 4.744), (2, 6.296), (5, 10.513), (10, 16.962), (50, 63.287)]
)
def test_bound_is_that_of_the_tables(count: int, bound: float) -> None:
    assert poisson_upper(count) == pytest.approx(bound, abs=0.001)


def test_threshold_lets_the_wanted_rate_pass_and_no_more() -> None:
    point = ground(0.2, 0.9, 0.5, 0.7, 0.3).operating_point(1.0)
    assert 0.5 < point.threshold < 0.7
    assert (point.alarms, point.per_km2) == (2, 1.0)
    assert point.at_most_per_km2 == pytest.approx(6.296 / 2, abs=0.001)
    assert ground(0.5, 0.5, 0.5).operating_point(1.0).alarms == 0  # equals pass together or not at all
    assert ground(0.2, 0.3).operating_point(5.0).threshold == 0.1


def test_too_little_ground_is_said_with_what_would_be_needed() -> None:
    small = ground(area_km2=0.5).operating_point(1.0)
    assert not small.enough
    assert "too little ground for 1 per km2: at least 3 km2 would be needed" in small.as_text()
    assert "below 5.99 with 95 % confidence" in small.as_text()
    assert ground(area_km2=3.0).operating_point(1.0).enough


def test_unlabelled_ground_is_called_an_upper_bound() -> None:
    assert "unlabelled: an upper bound" in ground(labelled=False).operating_point(1.0).as_text()
    assert "upper bound" not in ground().operating_point(2.0).as_text()


def test_the_strictest_ground_decides() -> None:
    assert strictest([ground(0.2), ground(0.9, 0.8, 0.7)], 1.0).threshold == pytest.approx(0.7, abs=0.001)
    with pytest.raises(ValueError, match="give at least one"):
        strictest([], 1.0)


def test_kept_and_read_again() -> None:
    one = ground(0.25, 0.5, labelled=False)
    again = EmptyGround.from_dict(json.loads(json.dumps(one.as_dict(), allow_nan=False)))
    assert again.operating_point(0.5) == one.operating_point(0.5)


@pytest.mark.parametrize("score", [0.7000049, 0.7000051, 0.7])
def test_a_kept_threshold_lets_no_more_pass_than_was_wanted(score: float) -> None:
    """Scores are kept rounded; the detector's own, which the threshold meets, are not."""
    one = ground(0.9, 0.8, score, 0.3)
    kept = EmptyGround.from_dict(json.loads(json.dumps(one.as_dict())))
    assert one.count(kept.operating_point(1.0).threshold) == 2


def test_area_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        ground(area_km2=0)
