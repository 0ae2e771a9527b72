"""What a machine tells while it works: figures at a stand-in for the logs' ingestion, the job's output in Azurite."""

import json
import os
import signal
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from infra.azure.tables import COLUMNS, GPU
from tests.infra.azure.on_machine import Bench, azure, bench, programs
from tests.infra.azure.whom_it_asks import MACHINE, Azure

__all__ = ["azure", "bench", "programs"]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


class Container:
    """As the docker program of the bench knows it."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.folder, self.name = bench.folder, name
        self.path = bench.folder / f"log-{name}"
        self.path.touch()
        (bench.folder / "container").write_text(f"{name} 1\n")

    def say(self, text: bytes) -> None:
        with self.path.open("ab") as stream:
            stream.write(text)

    def end(self) -> None:
        (self.folder / f"ended-{self.name}").touch()


def test_figures_have_the_columns_of_their_table(bench: Bench, azure: Azure) -> None:
    bench.collect(SONARSTACK_PAUSES="0.005")
    until(lambda: len(azure.rows) >= 4)
    for row in azure.rows:
        assert set(row) == set(COLUMNS[GPU])
        assert row["Host"] == MACHINE
    first, second = azure.rows[:2]
    assert (first["Gpu"], first["BusyPercent"], first["MemoryMib"], first["PowerW"]) == (
        "0",
        97.0,
        14210.0,
        66.31,
    )
    assert (second["Gpu"], second["PowerW"], second["TemperatureC"]) == ("1", None, 35.0)
    assert (
        time.time() - time.mktime(time.strptime(first["TimeGenerated"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone
        < 60
    )


def test_figures_wait_for_an_ingestion_that_does_not_answer_and_are_sent_once(
    bench: Bench, azure: Azure
) -> None:
    azure.first["POST /dataCollectionRules"] = [(503, {})] * 7
    bench.collect(SONARSTACK_PAUSES="0.005")
    until(lambda: len(azure.rows) >= 6)
    moments = [(row["TimeGenerated"], row["Gpu"]) for row in azure.rows]
    assert [gpu for _, gpu in moments[:6]] == ["0", "1"] * 3
    said = (bench.folder / "said").read_text().splitlines()
    assert said == ["sonarstack azure: GPU figures: POST 127.0.0.1: HTTP 503"]


def test_a_machine_without_answering_gpus_still_sends_its_log(bench: Bench, azure: Azure) -> None:
    (bench.folder / "no-gpu").touch()
    container = Container(bench, "c0")
    container.say(b"words\n")
    process = bench.collect()
    until(lambda: bench.blobs.get("job.log") == b"words\n")
    process.terminate()
    container.end()
    assert process.wait(30) == 0
    assert azure.rows == []
    assert (bench.folder / "said").read_text() == "sonarstack azure: GPU figures: nvidia-smi tells nothing\n"


def test_output_arrives_as_it_was_said_and_soon(bench: Bench) -> None:
    process = bench.collect()
    container = Container(bench, "c0")
    container.say(b"epoch 1\r")
    until(lambda: bench.blobs.get("job.log") == b"epoch 1\r")
    container.say(b"epoch 2\n\xff\x00 no text\nno end of line")
    until(lambda: bench.blobs["job.log"].endswith(b"no end of line"))
    container.end()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert bench.blobs["job.log"] == container.path.read_bytes()
    assert not (bench.folder / "said").read_text()


def test_the_next_try_s_output_comes_after_the_first_s(bench: Bench) -> None:
    bench.collect()
    first = Container(bench, "c0")
    first.say(b"first\n")
    first.end()
    until(lambda: bench.blobs.get("job.log") == b"first\n")
    second = Container(bench, "c1")
    second.say(b"second\n")
    until(lambda: bench.blobs["job.log"] == b"first\nsecond\n")


def test_a_collector_that_was_killed_goes_on_where_it_was(bench: Bench) -> None:
    container = Container(bench, "c0")
    mark = bench.folder / "state" / "collected.json"

    def arrived() -> bool:
        said = container.path.read_bytes()
        marked = mark.exists() and json.loads(mark.read_text())["bytes"] == len(said)
        return marked and bench.blobs["job.log"] == said

    for number in range(4):
        process = bench.collect()
        container.say(b"".join(b"line %d of %d\n" % (line, number) for line in range(1000)))
        until(arrived)
        process.kill()
        process.wait()
    process = bench.collect()
    container.say(b"end\n")
    until(arrived)
    container.end()
    process.terminate()
    assert process.wait(30) == 0
    assert arrived()


def test_a_part_whose_answer_was_lost_is_there_once(
    bench: Bench, programs: tuple[ModuleType, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    collect, cloud = programs
    log = collect.JobLog(cloud)
    log.append(b"one ")
    real, lost = collect.ask, [1]

    def losing(method: str, address: str, *more: Any, **words: Any) -> Any:
        answer = real(method, address, *more, **words)
        if "appendblock" in address and lost:
            lost.pop()
            answer = real(method, address, *more, **words)  # as `ask` tries again after no answer
        return answer

    monkeypatch.setattr(collect, "ask", losing)
    log.append(b"two ")
    log.append(b"three")
    assert bench.blobs["job.log"] == b"one two three"
    other = collect.JobLog(cloud)
    other.append(b"!!")
    with pytest.raises(Exception, match="grown by somebody else"):
        log.append(b"?")
    log.append(b"?")
    assert bench.blobs["job.log"] == b"one two three!!?"


def test_figures_that_will_never_be_taken_are_let_go(azure: Azure, programs: tuple[ModuleType, Any]) -> None:
    collect, cloud = programs
    gpus = collect.Gpus(cloud)
    azure.first["POST /dataCollectionRules"] = [(413, {})]
    with pytest.raises(Exception, match="HTTP 413"):
        gpus.tick(1e9)
    assert not gpus.rows
    azure.first["POST /dataCollectionRules"] = [(503, {})] * 3
    with pytest.raises(Exception, match="HTTP 503"):
        gpus.tick(2e9)
    assert len(gpus.rows) == 2
    for _ in range(collect.ROWS):
        gpus.rows.append({})
    assert len(gpus.rows) == collect.ROWS


def test_what_nobody_takes_is_held_within_bounds_and_then_arrives(
    bench: Bench, programs: tuple[ModuleType, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    collect, cloud = programs
    monkeypatch.setattr(collect, "PART_BYTES", 2**18)
    container = Container(bench, "c0")
    text = os.urandom(2**20)
    container.say(text)
    container.end()
    log = collect.JobLog(cloud)
    notes = cloud.settings["notes"]
    cloud.settings["notes"] = "http://127.0.0.1:9/runs/x"
    failed = 0
    for number in range(200):
        try:
            log.tick(float(number))
        except collect.CallError:
            failed += 1
        assert len(log.waiting) < 2**18 + 2**16
        if failed == 5:
            break
        time.sleep(0.01)
    assert failed == 5, "the rest waits in Docker, and the container's disk"
    cloud.settings["notes"] = notes
    until(lambda: [log.tick(time.monotonic() + 1e6), not log.waiting and log.over and log.process is None][1])
    assert bench.blobs["job.log"] == text
