"""The worst case bounds what can come, and refuses what is above the limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.budget import Rates, check, forecast, worst_case
from infra.errors import SettingsError
from infra.specs import Limits

USD = st.floats(min_value=0, max_value=100)
GIB = st.floats(min_value=0, max_value=4096)
HOURS = st.floats(min_value=0.01, max_value=720)
RATES = st.builds(
    Rates,
    machine_usd_per_h=USD,
    disk_gib=GIB,
    disk_usd_per_gib_month=st.floats(min_value=0, max_value=1),
    volume_gib=GIB,
    volume_usd_per_gib_month=st.floats(min_value=0, max_value=1),
    network_usd_per_h=st.floats(min_value=0, max_value=10),
    bring_home_usd=st.floats(min_value=0, max_value=10),
)


@given(rates=RATES, hours=HOURS, more=st.floats(min_value=0, max_value=100))
def test_longer_is_never_cheaper(rates, hours, more) -> None:
    short, long = (worst_case(rates, Limits(max_hours=h)).lease.total_usd for h in (hours, hours + more))
    assert long >= short * (1 - 1e-12)


@given(rates=RATES, hours=HOURS)
def test_leftovers_hold_no_machine(rates, hours) -> None:
    left = worst_case(rates, Limits(max_hours=hours)).leftover_month
    assert left.machine_usd == left.disk_usd == left.bring_home_usd == 0
    assert left.volume_usd == pytest.approx(rates.volume_gib * rates.volume_usd_per_gib_month)


@given(
    rates=RATES,
    hours=HOURS,
    low=st.floats(min_value=0, max_value=1e5),
    more=st.floats(min_value=0, max_value=1e5),
    epochs=st.integers(1, 1000),
    set_up=st.floats(min_value=0, max_value=2),
)
def test_a_forecast_never_exceeds_the_worst_case(rates, hours, low, more, epochs, set_up) -> None:
    limits = Limits(max_hours=hours)
    made = forecast(
        seconds_an_epoch=(low, low + more),
        epochs=epochs,
        set_up_hours=set_up,
        rates=rates,
        limits=limits,
        interruptions=(0, 3),
    )
    assert 0 <= made.usd_low <= made.usd_high * (1 + 1e-12)
    assert made.usd_high <= worst_case(rates, limits).lease.total_usd * (1 + 1e-9) + 1e-9


def test_the_figures_of_a_pod_by_hand() -> None:
    rates = Rates(
        machine_usd_per_h=0.8,
        disk_gib=50,
        disk_usd_per_gib_month=0.1,
        volume_gib=20,
        volume_usd_per_gib_month=0.07,
        bring_home_usd=0.05,
    )
    worst = worst_case(rates, Limits(max_hours=6, max_usd=5))
    assert worst.lease.machine_usd == pytest.approx(4.8)
    assert worst.lease.disk_usd == pytest.approx(50 * 0.1 / 730 * 6)
    assert worst.leftover_month.total_usd == pytest.approx(1.4)
    check(worst)
    assert "$4.90 for the lease of 6 h" in worst.lines()[0]
    assert "$1.40 for a month of leftovers" in worst.lines()[1]


def test_a_lease_above_the_dollar_limit_is_refused_with_what_would_fit() -> None:
    worst = worst_case(Rates(machine_usd_per_h=2.0), Limits(max_hours=10, max_usd=5))
    with pytest.raises(
        SettingsError, match=r"can cost \$20.00, above sonarstack:maxUsd=5; lower maxHours to 2.5"
    ):
        check(worst)


@pytest.mark.parametrize(
    ("spent", "hours", "first", "second"),
    [
        (0.0, 10, r"$5.70 for the lease of 10 h", "if it is forgotten"),
        (1.0, 10, r"$5.70 for the lease of 10 h", "spent: $1.00 of the $7 for the run: what is left pays"),
        (4.3, 4, r"$2.40 for the lease of 4 h", "spent: $4.30 of the $7 for the run: another machine gets"),
        (6.9, 0, r"$0.20 for the lease of 0 h", "too little is left, and no other machine is rented; raise"),
    ],
)  # fmt: skip
def test_what_the_run_has_spent_shortens_the_next_lease(spent, hours, first, second) -> None:
    rates = Rates(machine_usd_per_h=0.5, network_usd_per_h=0.05, bring_home_usd=0.2)
    worst = worst_case(rates, Limits(max_hours=10, max_usd=7), spent_usd=spent)
    assert worst.lease_hours == pytest.approx(hours, abs=0.01)
    assert first in worst.lines()[0]
    assert second in worst.lines()[1]
    assert spent + worst.lease.total_usd <= 7 or not hours
    assert (worst.as_dict()["spent_usd"], worst.machines_usd) == (spent, pytest.approx(6.3))


def test_what_has_no_price_is_named() -> None:
    worst = worst_case(Rates(machine_usd_per_h=1.0, unpriced=("the bucket",)), Limits(max_hours=1))
    assert "not in these dollars, for want of a sourced price: the bucket" in worst.lines()


def test_ones_own_machine_has_no_rent() -> None:
    assert worst_case(Rates(machine_usd_per_h=0), Limits(max_hours=2)).lines() == [
        "worst case: own machine, no rent; the run ends after 2 h"
    ]


def test_a_rate_is_a_number_from_zero_on() -> None:
    with pytest.raises(ValueError, match="disk_gib=-1 must be a number from 0 on"):
        Rates(machine_usd_per_h=1, disk_gib=-1)
