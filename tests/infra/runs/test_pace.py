"""The range of what is left: it holds the plain forecast, and a hiccup widens it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runs.pace import seconds_left_range
from infra.runs.status import run_status


def lines(gaps: list[float], total: int = 100) -> list[dict]:
    at, told = 0.0, []
    for step, gap in enumerate(gaps):
        at += gap
        told.append({"kind": "step", "step": step, "total_steps": total, "epoch": 0, "seconds": at})
    return told


def test_an_even_pace_is_no_range() -> None:
    assert seconds_left_range(lines([2.0] * 21)) == (pytest.approx(160), pytest.approx(160))


def test_a_slow_stretch_widens_it() -> None:
    fast, slow = seconds_left_range(lines([1.0] * 16 + [3.0] * 5))
    assert (fast, slow) == (pytest.approx(80), pytest.approx(240))


@pytest.mark.parametrize(
    "metrics",
    [[], lines([1.0]), lines([0.0] * 5), [*lines([1.0] * 5), {"kind": "end"}], lines([1.0] * 5, total=0)],
)
def test_without_pace_or_end_nothing_is_said(metrics) -> None:
    assert seconds_left_range(metrics) is None


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=40))
def test_the_plain_forecast_lies_within_it(gaps) -> None:
    metrics = lines(gaps)
    fast, slow = seconds_left_range(metrics[-20:])
    plain = run_status(None, metrics[-20:]).seconds_left
    assert fast * 0.999 <= plain <= slow * 1.001
