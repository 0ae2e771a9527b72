"""The leases of a run never come to more than its dollars, and none is too short to begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.next_lease import SHORTEST_H, next_hours

USD = st.floats(min_value=0.01, max_value=1000)
HOURS = st.floats(min_value=0.01, max_value=720)


@given(max_hours=HOURS, limit=USD, spent=st.floats(min_value=0, max_value=2000), rate=USD)
def test_what_was_spent_and_the_next_lease_stay_within_the_limit(max_hours, limit, spent, rate) -> None:
    hours = next_hours(max_hours, limit_usd=limit, spent_usd=spent, usd_per_h=rate)
    assert 0 <= hours <= max_hours
    assert hours == 0 or spent + hours * rate <= limit * (1 + 1e-5) + 1e-5 * spent
    assert hours in (0, max_hours) or hours >= SHORTEST_H


def test_what_is_left_is_the_lease() -> None:
    assert next_hours(6, limit_usd=4, spent_usd=3, usd_per_h=0.5) == pytest.approx(2)
    assert next_hours(6, limit_usd=4, spent_usd=1, usd_per_h=0.5) == 6
    assert next_hours(6, limit_usd=4, spent_usd=3.9, usd_per_h=0.5) == 0
    assert next_hours(6, limit_usd=4, spent_usd=9, usd_per_h=0.5) == 0


def test_without_a_limit_or_a_rent_it_is_a_whole_one() -> None:
    assert next_hours(6, limit_usd=None, spent_usd=9, usd_per_h=0.5) == 6
    assert next_hours(6, limit_usd=1, spent_usd=9, usd_per_h=0) == 6


def test_a_lease_that_is_short_by_its_own_hours_is_no_refusal() -> None:
    assert next_hours(0.1, limit_usd=1, spent_usd=0, usd_per_h=0.5) == 0.1
