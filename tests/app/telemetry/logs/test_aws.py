"""Records reach CloudWatch in order and once, whatever its endpoint does meanwhile, and never from this thread."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import app.telemetry.logs.aws as aws_logs
from app.errors import SettingsError
from app.telemetry.cloud_logger import CloudLogger, open_sender
from app.telemetry.logs.aws import CloudWatchSender
from app.telemetry.logs.record import RecordMaker
from tests.app.aws import aws
from tests.app.telemetry.logs.faulty import FaultyWay, faulty_way

__all__ = ["aws"]

GROUP = "/sonarstack/st"
PACE: dict[str, Any] = {"every_s": 0.02, "backoff_s": (0.02, 0.1)}


@pytest.fixture
def way(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyWay]:
    import boto3

    boto3.client("logs").create_log_group(logGroupName=GROUP)
    monkeypatch.setattr(aws_logs, "READ_S", 0.4)
    with faulty_way(aws) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", way.address)
        yield way


class Run:
    """A logger, and what it noted and kept."""

    def __init__(self, queue: Path, **values: Any) -> None:
        self.notes: list[str] = []
        self.kept: list[dict[str, Any]] = []
        sender = values.pop("sender", None) or CloudWatchSender(GROUP, "st/run/host")
        self.logger = CloudLogger(
            run="st/run",
            keep=self.kept.append,
            note=self.notes.append,
            sender=sender,
            queue=queue,
            **PACE,
            **values,
        )

    def log(self, first: int, count: int) -> None:
        for step in range(first, first + count):
            self.logger.log("INFO", "step", f"step {step}", step=step, figures={"loss": 0.5})


def events(aws: str, stream: str = "st/run/host") -> list[dict[str, Any]]:
    """What CloudWatch holds, asked directly."""
    import boto3

    client = boto3.client("logs", endpoint_url=aws)
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = client.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **token)
        if not page["events"]:
            return found
        found += page["events"]
        token = {"nextToken": page["nextForwardToken"]}


def steps(aws: str) -> list[int]:
    return [json.loads(event["message"])["step"] for event in events(aws)]


def wait_for(what: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_records_arrive_whole_and_in_order(way: FaultyWay, aws: str, tmp_path: Path) -> None:
    run = Run(tmp_path / "queue")
    run.log(0, 25)
    run.logger.close()
    found = events(aws)
    told = [json.loads(event["message"]) for event in found]
    assert [one["step"] for one in told] == list(range(25))
    assert told == run.kept
    assert {one["host"] for one in told} == {socket.gethostname()}
    assert told[0] | {"id": "", "time": "", "time_ms": 0, "host": ""} == {
        "time": "",
        "id": "",
        "time_ms": 0,
        "level": "INFO",
        "kind": "step",
        "message": "step 0",
        "run": "st/run",
        "host": "",
        "step": 0,
        "figures": {"loss": 0.5},
    }
    assert [event["timestamp"] for event in found] == [one["time_ms"] for one in told]
    assert run.notes == []
    assert not (tmp_path / "queue").exists()


@pytest.mark.parametrize("mode", ["down", "slow", "throttled"])
def test_what_the_endpoint_does_not_take_comes_later_once_and_in_order(
    way: FaultyWay, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    calling: set[str] = set()
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        calling.add(threading.current_thread().name)
        connect(self, address)

    run = Run(tmp_path / "queue")
    run.log(0, 5)
    wait_for(lambda: not run.logger._spool.waiting)  # type: ignore[union-attr]
    monkeypatch.setattr(socket.socket, "connect", watched)
    way.mode = mode
    started = time.monotonic()
    run.log(5, 200)
    took_s = time.monotonic() - started
    wait_for(lambda: way.calls.count(mode) >= 2)
    run.log(205, 5)
    monkeypatch.setattr(socket.socket, "connect", connect)
    way.mode = "ok"
    run.logger.close()
    assert steps(aws) == list(range(210))
    assert len(run.kept) == 210
    assert calling <= {"cloud-logger", *(name for name in calling if name.startswith("Thread-"))}
    assert threading.current_thread().name not in calling
    # 200 records in less than one answer of a slow endpoint takes: nobody waited for it.
    assert took_s < way.slow_s
    lost, back = run.notes
    assert lost.startswith("warning: CloudWatch's log group /sonarstack/st is not reached (")
    assert f"records are kept in {tmp_path / 'queue'} and sent later, training goes on" in lost
    assert "is reached again after" in back


def test_an_answer_lost_on_the_way_loses_nothing_and_doubles_are_known_by_their_id(
    way: FaultyWay, aws: str, tmp_path: Path
) -> None:
    run = Run(tmp_path / "queue")
    run.log(0, 3)
    wait_for(lambda: not run.logger._spool.waiting)  # type: ignore[union-attr]
    way.mode = "answers lost"
    run.log(3, 3)
    wait_for(lambda: way.calls.count("answers lost") >= 1)
    way.mode = "ok"
    run.logger.close()
    told = [json.loads(event["message"]) for event in events(aws)]
    by_id = {one["id"]: one for one in told}
    assert [by_id[name]["step"] for name in sorted(by_id)] == list(range(6))
    assert len(told) > len(by_id)


def test_what_one_process_could_not_send_the_next_one_does(way: FaultyWay, aws: str, tmp_path: Path) -> None:
    way.mode = "down"
    first = Run(tmp_path / "queue")
    first.log(0, 10)
    wait_for(lambda: way.calls.count("down") >= 1)
    first.logger.close(within_s=0.3)
    first.logger._shipper._thread.join(10)  # type: ignore[union-attr]  as its process would end
    assert "10 records wait in" in first.notes[-1]
    assert "the next start of this run sends them" in first.notes[-1]
    way.mode = "ok"
    second = Run(tmp_path / "queue")
    second.log(10, 5)
    second.logger.close()
    assert steps(aws) == list(range(15))
    assert not (tmp_path / "queue").exists()


def test_an_endpoint_that_hangs_does_not_hold_up_the_end(way: FaultyWay, tmp_path: Path) -> None:
    way.mode, way.slow_s = "slow", 5.0
    run = Run(tmp_path / "queue")
    run.log(0, 1)
    started = time.monotonic()
    run.logger.close(within_s=0.5)
    assert time.monotonic() - started < 3
    assert "1 records wait in" in run.notes[-1]


def test_a_group_that_is_missing_is_named_and_found_when_it_comes(
    way: FaultyWay, aws: str, tmp_path: Path
) -> None:
    import boto3

    run = Run(tmp_path / "queue", sender=CloudWatchSender("/later", "st/run/host"))
    run.log(0, 2)
    wait_for(lambda: len(run.notes) == 1)
    assert "there is no log group /later; create it, or set SONARSTACK_LOG_GROUP" in run.notes[0]
    client = boto3.client("logs", endpoint_url=aws)
    client.create_log_group(logGroupName="/later")
    run.logger.close()
    page = client.get_log_events(logGroupName="/later", logStreamName="st/run/host", startFromHead=True)
    assert len(page["events"]) == 2


def test_an_arn_tells_region_and_group(aws: str, tmp_path: Path) -> None:
    import boto3

    client = boto3.client("logs", region_name="us-west-2")
    client.create_log_group(logGroupName="/far")
    sender = CloudWatchSender("arn:aws:logs:us-west-2:123456789012:log-group:/far:*", "a:b*c")
    run = Run(tmp_path / "queue", sender=sender)
    run.log(0, 1)
    run.logger.close()
    page = client.get_log_events(logGroupName="/far", logStreamName="a-b-c", startFromHead=True)
    assert len(page["events"]) == 1


def test_records_too_old_for_aws_are_counted_and_hold_up_nothing(way: FaultyWay, aws: str) -> None:
    day_s = 86400.0
    times = iter([time.time() - 20 * day_s, time.time()])
    maker = RecordMaker(run="r", host="h", scrub=str, clock=lambda: next(times))
    old, new = (maker.make("INFO", "note", "x", step=None, figures={}) for _ in range(2))
    sender = CloudWatchSender(GROUP, "st/run/host")
    assert sender.send([old]).taken == 1
    # More than 24 hours in one call are refused by AWS: it is cut before.
    assert sender.send([old, new]).taken == 1
    assert sender.send([new]).refused == 0
    assert len(events(aws)) == 1


@pytest.mark.parametrize(
    ("info", "refused"),
    [
        ({}, 0),
        ({"tooOldLogEventEndIndex": 3}, 3),
        ({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2}, 2),
        ({"tooNewLogEventStartIndex": 8}, 2),
        ({"tooOldLogEventEndIndex": 3, "tooNewLogEventStartIndex": 8}, 5),
    ],
)
def test_what_aws_says_it_did_not_keep_is_counted(info: dict[str, int], refused: int) -> None:
    # By the API's words: moto tells other indexes.
    assert aws_logs._rejected(info, 10) == refused


def test_a_clock_that_went_back_does_not_change_the_order(way: FaultyWay, aws: str) -> None:
    now_s = time.time()
    early = RecordMaker(run="r", host="h", scrub=str, clock=lambda: now_s)
    late = RecordMaker(run="r", host="h", scrub=str, clock=lambda: now_s - 50)
    records = [m.make("INFO", "note", name, step=None, figures={}) for m, name in ((early, "a"), (late, "b"))]
    assert CloudWatchSender(GROUP, "st/run/host").send(records).taken == 2
    assert [json.loads(event["message"])["message"] for event in events(aws)] == ["a", "b"]


def test_no_group_and_no_package_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="log_provider=aws needs log_group: set SONARSTACK_LOG_GROUP"):
        open_sender("aws", None, run="r")
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(SettingsError, match=r"need boto3: pip install 'sonarstack\[cloud\]'"):
        open_sender("aws", GROUP, run="r")
    assert open_sender("local", None, run="r") is None
