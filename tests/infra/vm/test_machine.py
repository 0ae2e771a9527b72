"""The rented machine's program as a real process, with programs on its PATH that note what they were asked."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.vm.cloud_init import PROGRAM
from infra.vm.orders import Orders

DOCKER = """#!/bin/sh
echo "docker $*" >> "$NOTES/calls"
case $1 in
pull) exit ${PULL_CODE:-0} ;;
run)
    trap 'echo stopped >> "$NOTES/calls"; exit 83' TERM
    echo $$ > "$NOTES/container"
    cp "$(echo "$*" | sed 's/.*--env-file \\([^ ]*\\) .*/\\1/')" "$NOTES/variables"
    end=$(( $(date +%s) + ${JOB_S:-0} ))
    while [ "$(date +%s)" -lt $end ]; do sleep 0.05; done
    exit ${JOB_CODE:-0} ;;
stop) kill -TERM "$(cat "$NOTES/container")" ;;
logs) echo "last words" ;;
esac
"""
NOTE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$NOTES/calls"
case "$1" in
keep) mkdir -p "$NOTES/kept/$(dirname "$2")"; cat > "$NOTES/kept/$2" ;;
count) ls "$NOTES/kept/interruptions" 2>/dev/null | wc -l ;;
identity) echo i-0123 ;;
end) exit ${END_CODE:-0} ;;
esac
"""


class Bench:
    """A folder with programs, orders, and what was noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for name, text in (("docker", DOCKER), ("cloud", NOTE), ("poweroff", NOTE)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.processes: list[subprocess.Popen[str]] = []

    def start(
        self, *, lease_s: float = 60.0, on_demand_after: int | None = None, **told: str
    ) -> subprocess.Popen[str]:
        orders = Orders(
            image="registry/image@sha256:1",
            arguments=("train", "--run", "/runs/x"),
            variables={"SONARSTACK_RECIPE": "smoke"},
            docker=("--gpus", "all"),
            lease_until_s=time.time() + lease_s,
            identity=("cloud", "identity"),
            keep=("cloud", "keep", "{name}"),
            end=(("cloud", "end"),),
            prepare=(("cloud", "agent"), ("no-such-program",)),
            on_demand=("cloud", "on-demand"),
            on_demand_after=on_demand_after,
            count_interruptions=("cloud", "count"),
            power_off=("poweroff", "now"),
            folder=str(self.folder / "state"),
            grace_s=5,
            hard_stop_s=1.0,
        )
        (self.folder / "machine.json").write_text(json.dumps(orders.as_dict()))
        said = (self.folder / "said").open("a")
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "NOTES": str(self.folder),
                "SONARSTACK_ORDERS": str(self.folder / "machine.json"),
                "SONARSTACK_STOP_ASKED": str(self.folder / "stop-asked"),
                "SONARSTACK_PAUSES": "0.02",
                **told,
            },
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said.close()
        self.processes.append(process)
        return process

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def kept(self, name: str) -> dict[str, object]:
        return dict(json.loads((self.folder / "kept" / name).read_text()))

    def asked(self, call: str) -> bool:
        return any(one.startswith(call) for one in self.calls)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for process in bench.processes:
        # The guard is a process of its own in the same group.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.wait()


def over(process: subprocess.Popen[str]) -> int:
    """Its code."""
    return process.wait(timeout=30)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 1, 80, 81, 82, 137])
def test_a_job_that_ends_ends_the_group_and_then_the_machine(bench: Bench, code: int) -> None:
    assert over(bench.start(JOB_CODE=str(code))) == 0
    assert bench.kept("started.json")["machine"] == "i-0123"
    outcome = bench.kept("outcome.json")
    assert (outcome["code"], outcome["log"]) == (code, ["last words"])
    assert bench.calls[-2:] == ["cloud end", "poweroff now"]


def test_the_job_is_told_the_hours_that_are_left(bench: Bench) -> None:
    over(bench.start(lease_s=7200))
    told = dict(line.split("=", 1) for line in (bench.folder / "variables").read_text().splitlines())
    assert told["SONARSTACK_RECIPE"] == "smoke"
    assert 1.99 < float(told["SONARSTACK_MAX_HOURS"]) < 2.0
    assert "docker run --name sonarstack --env-file" in "\n".join(bench.calls)
    assert any(
        call.endswith("--gpus all registry/image@sha256:1 train --run /runs/x") for call in bench.calls
    )


def test_a_notice_leaves_the_group_to_rent_the_next_machine(bench: Bench) -> None:
    over(bench.start(JOB_CODE="83"))
    assert bench.kept("interruptions/i-0123.json")["code"] == 83
    assert not (bench.folder / "kept" / "outcome.json").exists()
    assert not bench.asked("cloud end")
    assert bench.calls[-1] == "poweroff now"


def test_a_machine_that_is_taken_away_saves_and_leaves_the_group(bench: Bench) -> None:
    process = bench.start(JOB_S="30")
    until(lambda: (bench.folder / "container").exists())
    process.terminate()
    over(process)
    assert bench.asked("stopped")
    assert (bench.folder / "kept" / "interruptions" / "i-0123.json").exists()
    assert not bench.asked("cloud end")


def test_the_owner_s_stop_is_for_good(bench: Bench) -> None:
    process = bench.start(JOB_S="30")
    until(lambda: (bench.folder / "container").exists())
    (bench.folder / "stop-asked").touch()
    process.terminate()
    over(process)
    assert bench.kept("outcome.json")["code"] == 83
    assert bench.asked("cloud end")


def test_the_lease_ends_a_job_that_goes_on(bench: Bench) -> None:
    over(bench.start(JOB_S="30", lease_s=1.5))
    assert bench.asked("stopped")
    assert bench.kept("outcome.json")["code"] == 83
    assert bench.asked("cloud end")


def test_the_guard_ends_a_machine_whose_program_died(bench: Bench) -> None:
    process = bench.start(JOB_S="30", lease_s=2.0)
    until(lambda: (bench.folder / "container").exists())
    process.kill()
    over(process)
    until(lambda: bench.asked("cloud end") and bench.asked("poweroff now"))


def test_a_machine_rented_after_the_lease_runs_nothing(bench: Bench) -> None:
    over(bench.start(lease_s=-5))
    assert not bench.asked("docker run")
    assert bench.asked("cloud end")
    assert (bench.folder / "kept" / "late" / "i-0123.json").exists()


def test_an_image_that_cannot_be_pulled_is_told_and_ends_it(bench: Bench) -> None:
    over(bench.start(PULL_CODE="1"))
    assert bench.kept("outcome.json") | {"time": 0} == {
        "machine": "i-0123",
        "time": 0,
        "code": 125,
        "reason": "registry/image@sha256:1 cannot be pulled",
        "log": [],
    }
    assert sum(call.startswith("docker pull") for call in bench.calls) == 3
    assert bench.asked("cloud end")


def test_a_group_that_cannot_be_ended_keeps_the_machine_until_its_lease(bench: Bench) -> None:
    """Powering off would only have the group rent another one."""
    process = bench.start(END_CODE="1", lease_s=3.0)
    until(lambda: sum(call == "cloud end" for call in bench.calls) > 6)
    assert not bench.asked("poweroff")
    over(process)
    assert bench.asked("poweroff")


def test_after_too_many_interruptions_the_next_machine_is_rented_on_demand(bench: Bench) -> None:
    over(bench.start(JOB_CODE="83", on_demand_after=1))
    assert not bench.asked("cloud on-demand")
    over(bench.start(on_demand_after=1))
    assert bench.asked("cloud on-demand")


def test_nothing_that_a_command_said_is_repeated(bench: Bench) -> None:
    """The sign-in's output may hold a password."""
    (bench.folder / "bin" / "docker").write_text("#!/bin/sh\necho s3cret-word >&2\nexit 1\n")
    over(bench.start())
    said = (bench.folder / "said").read_text()
    assert "cannot pull" in said
    assert "s3cret-word" not in said
