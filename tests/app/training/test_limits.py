"""Hours, dollars, interruptions."""

import os
import signal
import subprocess
import sys

import pytest

from app.exit_codes import ExitCode
from app.training.limits import Limits, catch_interruption


def test_no_limit_is_never_reached() -> None:
    assert Limits().reached(1e9) is None


def test_hours_and_dollars_have_codes_of_their_own() -> None:
    limits = Limits(max_hours=2.0, max_usd=10.0, price_usd_per_h=1.0, spent_usd=9.0)
    assert limits.reached(1800) is None
    assert limits.reached(3600) is ExitCode.BUDGET
    assert Limits(max_hours=2.0).reached(7200) is ExitCode.DEADLINE
    assert Limits(max_hours=2.0).reached(7000, reserve_s=300) is ExitCode.DEADLINE


def test_hours_before_a_restart_count_and_the_limit_is_called_what_it_was_set_to() -> None:
    limits = Limits(max_hours=2.0, hours_before=1.5)
    assert limits.reached(1799.0) is None
    assert limits.reached(1800.0) is ExitCode.DEADLINE
    assert limits.reason(ExitCode.DEADLINE) == "the limit of 2.0 hours is reached"
    assert Limits(max_hours=1.0, hours_before=1.5).reached(0.0) is ExitCode.DEADLINE


def test_dollars_of_earlier_machines_count() -> None:
    assert Limits(price_usd_per_h=2.0, spent_usd=3.0).spent(1800) == pytest.approx(4.0)


def test_what_the_run_remembers_is_the_floor_of_what_was_spent() -> None:
    limits = Limits(max_usd=10.0, price_usd_per_h=1.0, spent_usd=3.0)
    assert limits.counting(4.5).spent_usd == 4.5
    assert limits.counting(1.0).spent_usd == 3.0


@pytest.mark.parametrize(
    ("limits", "measured_s", "reserve_s"),
    [
        (Limits(), 40.0, 0.0),
        (Limits(max_hours=2.0), 0.0, 10.0),
        (Limits(max_hours=2.0), 40.0, 60.0),
        (Limits(max_hours=9.0), 4000.0, 600.0),
        (Limits(max_hours=0.01), 40.0, 9.0),
        (Limits(max_hours=2.0, max_usd=0.01, price_usd_per_h=1.0), 40.0, 9.0),
    ],
)
def test_reserve_is_measured_and_bounded(limits: Limits, measured_s: float, reserve_s: float) -> None:
    assert limits.reserve_s(measured_s) == pytest.approx(reserve_s)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_hours": 0}, "max_hours=0 must be above 0"),
        ({"max_usd": -1, "price_usd_per_h": 1}, "max_usd=-1 must be above 0"),
        ({"max_usd": 1}, "needs price_usd_per_h"),
        ({"max_hours": float("nan")}, "must be above 0"),
    ],
)
def test_absurd_limits_are_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**fields)


def test_sigterm_asks_for_a_stop_and_the_old_handler_returns() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with catch_interruption() as interruption:
        assert not interruption
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption
        assert interruption.signal_name == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before


def test_second_ctrl_c_stops_at_once() -> None:
    code = (
        "import os, signal, time\n"
        "from app.training.limits import ECHO_S, catch_interruption\n"
        "with catch_interruption() as i:\n"
        "    os.kill(os.getpid(), signal.SIGINT); assert i\n"
        "    os.kill(os.getpid(), signal.SIGINT); time.sleep(ECHO_S)\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGINT); print('went on')\n"
        "    except KeyboardInterrupt: print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "stopped\n"
