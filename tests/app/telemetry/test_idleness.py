"""Idleness by a told clock."""

from app.telemetry.idleness import Idleness

LIMIT_S = 1800.0


def first_idle_s(
    idleness: Idleness,
    *,
    percent: float | None,
    until_s: int = 7200,
    works: bool = True,
    step_s: int = 5,
    since_s: int = 0,
) -> tuple[int, str] | None:
    """When it is first called idle, looked at every `step_s`."""
    for now_s in range(since_s, until_s, step_s):
        if works:
            idleness.progressed(now_s)
        why = idleness.look(percent, now_s)
        if why is not None:
            return now_s, why
    return None


def test_a_gpu_at_two_percent_is_idle_after_the_limit() -> None:
    told = first_idle_s(Idleness(LIMIT_S, 0), percent=2.0)
    assert told == (1800, "the GPU stayed at 2 % or less for 30 minutes")


def test_a_gpu_that_works_is_not() -> None:
    assert first_idle_s(Idleness(LIMIT_S, 0), percent=3.0) is None


def test_one_busy_moment_begins_the_wait_anew() -> None:
    idleness = Idleness(LIMIT_S, 0)
    assert first_idle_s(idleness, percent=0.0, until_s=1700) is None
    idleness.look(80.0, 1700)
    told = first_idle_s(idleness, percent=0.0, since_s=1705)
    assert told is not None
    assert told[0] == 3500


def test_a_training_that_spins_without_getting_on_is_idle() -> None:
    told = first_idle_s(Idleness(LIMIT_S, 0), percent=100.0, works=False)
    assert told == (1800, "nothing got on for 30 minutes")


def test_unknown_use_leaves_it_to_progress() -> None:
    assert first_idle_s(Idleness(LIMIT_S, 0), percent=None) is None
    assert first_idle_s(Idleness(LIMIT_S, 0), percent=None, works=False) is not None


def test_time_in_which_the_process_stood_still_does_not_count() -> None:
    idleness = Idleness(LIMIT_S, 0)
    assert first_idle_s(idleness, percent=0.0, until_s=600, works=False) is None
    assert idleness.look(0.0, 20_000) is None
    told = first_idle_s(idleness, percent=0.0, since_s=20_005, until_s=30_000, works=False)
    assert told is not None
    assert 20_000 + 1100 <= told[0] <= 20_000 + 1300
