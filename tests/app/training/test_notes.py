"""What outlives a restart, in a store in this process: an earlier attempt's words mislead nobody."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from app.config.launch import Launch
from app.training.notes import Ended, Notes
from app.training.team import ProcessTeam


@pytest.fixture
def launch() -> Launch:
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=20))
    launch = Launch(
        run_id="one",
        rank=0,
        size=3,
        local_rank=0,
        local_size=3,
        nodes=1,
        restarts=0,
        restarts_left=3,
        address="127.0.0.1",
        port=store.port,
    )
    STORES.append(store)
    return launch


STORES: list[TCPStore] = []
"""A store lives as long as somebody holds it."""


def meet(launch: Launch, order: tuple[int, ...]) -> list[str]:
    """What each of three processes finds in the part of the store that they meet in."""

    def one(rank: int) -> str:
        part = Notes(launch).meeting(rank, 3, wait_s=20)
        if rank == 0:
            part.set("hello", f"attempt {len(MEETINGS)}")
        return str(part.get("hello").decode())

    MEETINGS.append(launch)
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(one, order))


MEETINGS: list[Launch] = []


def test_each_attempt_meets_apart_from_those_before(launch: Launch) -> None:
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert meet(launch, order) == [f"attempt {len(MEETINGS)}"] * 3


def test_who_waits_in_vain_says_so(launch: Launch) -> None:
    with pytest.raises(RuntimeError, match="not all 3 processes came"):
        Notes(launch).meeting(0, 3, wait_s=0.2)


def test_the_first_end_counts(launch: Launch) -> None:
    notes = Notes(launch)
    assert notes.ended() is None
    notes.end(Ended(code=80, reason="time is up"))
    notes.end(Ended(code=1, reason="later", error="RunError"))
    assert Notes(launch).ended() == Ended(code=80, reason="time is up")


@pytest.mark.parametrize("own_start", [False, True], ids=["the launcher's start", "each attempt's own start"])
def test_a_restart_counts_each_second_once(launch: Launch, *, own_start: bool) -> None:
    """Whether the program that fetched the data hands its start on, or each process has one."""
    alone = replace(launch, size=1, local_size=1)
    began_s = time.monotonic() - 40.0
    first = ProcessTeam(alone, "cpu")
    assert first.clock(began_s) == (began_s, 0.0)
    first.close()
    again = ProcessTeam(replace(alone, restarts=1), "cpu")
    told_s = time.monotonic()
    started_s, before_s = again.clock(told_s - 3.0 if own_start else began_s)
    again.close()
    assert told_s <= started_s <= time.monotonic()
    assert before_s == pytest.approx(started_s - began_s, abs=0.5)


def test_notes_are_read_by_all_and_overwritten(launch: Launch) -> None:
    Notes(launch).write("micro", "8")
    Notes(launch).write("micro", "4")
    assert Notes(launch).read("micro") == "4"
    assert Notes(launch).read("nothing") is None
    assert Notes(launch).first("began", "1.5") == "1.5"
    assert Notes(launch).first("began", "2.5") == "1.5"
