"""The thread that sends: gives up only what is wrong, and never holds up an end."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.telemetry.cloud_logger import CloudLogger
from app.telemetry.logs.record import LogRecord
from app.telemetry.logs.sender import RefusedError, Sent
from app.telemetry.logs.spool import Spool


class Cloud:
    """A sender that keeps what it gets."""

    name = "the cloud"
    max_records = 100
    max_bytes = 100_000

    def __init__(self, refuses: Callable[[LogRecord], bool] = lambda record: False) -> None:
        self.got: list[LogRecord] = []
        self.refuses = refuses
        self.calls = 0
        self.fails: Exception | None = None

    def send(self, records: Sequence[LogRecord]) -> Sent:
        self.calls += 1
        if self.fails is not None:
            raise self.fails
        if any(map(self.refuses, records)):
            raise RefusedError("wrong")
        self.got += records
        return Sent(taken=len(records))

    def advice(self, error: Exception) -> str:
        return "look into it"


def logger(folder: Path, cloud: Cloud, notes: list[str], **pace: Any) -> CloudLogger:
    pace = {"every_s": 0.01, "backoff_s": (0.01, 0.02), **pace}
    return CloudLogger(
        run="r", keep=lambda record: None, note=notes.append, sender=cloud, queue=folder / "q", **pace
    )


def steps(cloud: Cloud) -> list[int | None]:
    return [record.step for record in cloud.got]


def test_only_the_wrong_record_is_given_up(tmp_path: Path) -> None:
    cloud, notes = Cloud(lambda record: record.step == 30), list[str]()
    log = logger(tmp_path, cloud, notes)
    for step in range(50):
        log.log("INFO", "step", "x", step=step)
    log.close()
    assert steps(cloud) == [step for step in range(50) if step != 30]
    assert len(notes) == 1
    assert "does not keep 1 records" in notes[0]


def test_where_none_was_ever_taken_the_fault_is_not_the_records(tmp_path: Path) -> None:
    right: list[bool] = []
    cloud, notes = Cloud(lambda record: not right), list[str]()
    log = logger(tmp_path, cloud, notes)
    for step in range(5):
        log.log("INFO", "step", "x", step=step)
    deadline = time.monotonic() + 20
    while not notes and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "is not reached (RefusedError wrong): look into it" in notes[0]
    right.append(True)
    log.close()
    assert steps(cloud) == list(range(5))


def test_pauses_grow_while_it_fails(tmp_path: Path) -> None:
    cloud = Cloud()
    cloud.fails = ConnectionError("no route")
    log = logger(tmp_path, cloud, [], backoff_s=(0.05, 10.0))
    log.log("INFO", "note", "x")
    time.sleep(1.0)
    # 0.05, 0.1, 0.2, 0.4 s, shortened to a half at most: without growing it were twenty calls or more.
    assert 1 <= cloud.calls <= 7
    log.close(within_s=0.1)


def test_a_damaged_line_holds_up_nothing(tmp_path: Path) -> None:
    queue = Spool(tmp_path / "q")
    queue.append(b"\x00\x00\x00\n")
    queue.append(b'{"n": 1}\n')
    cloud = Cloud()
    log = logger(tmp_path, cloud, [])
    log.log("INFO", "step", "x", step=7)
    log.close()
    assert steps(cloud) == [7]


def test_records_without_room_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, notes = Cloud(), list[str]()
    cloud.fails = ConnectionError("no route")
    log = logger(tmp_path, cloud, notes)
    spool = log._spool
    assert spool is not None
    spool._limit_bytes, spool._segment_bytes = 3000, 1000
    for step in range(100):
        log.log("INFO", "step", "x", step=step)
    cloud.fails = None
    log.close()
    assert steps(cloud)[-1] == 99
    assert steps(cloud) == list(range(100 - len(cloud.got), 100))
    assert f"{100 - len(cloud.got)} records found no room in" in " ".join(notes)


def test_a_full_disk_is_one_note_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, notes = Cloud(), list[str]()
    log = logger(tmp_path, cloud, notes)

    def full(self: Spool, line: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    log.log("INFO", "step", "x", step=1)
    log.log("INFO", "step", "x", step=2)
    log.close()
    assert len(notes) == 1
    assert "the disk is full; free some space" in notes[0]
    assert "training goes on" in notes[0]
