"""A simulator that is killed, or ends: its account, its pods and what they bill are there again."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from infra.runpod.simulator.clock import seconds_of
from infra.runpod.simulator.state import State
from tests.infra.runpod.simulator.asking import POD, eventually


class Program:
    """python -m infra.runpod.simulator."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [
            sys.executable,
            "-m",
            "infra.runpod.simulator",
            "--folder",
            str(folder),
            "--grace-s",
            "1",
            "--pods",
            "process",
            *words,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()
        told = dict(word.partition("=")[::2] for word in self.line.split() if "=" in word)
        self.http = httpx.Client(
            base_url=told["RUNPOD_REST_V2_API_URL"],
            headers={"Authorization": f"Bearer {told['RUNPOD_API_KEY']}"},
            timeout=20,
        )

    def pod(self, pod_id: str) -> dict:
        return self.http.get(f"/pods/{pod_id}").json()

    def end(self, how: int = signal.SIGTERM) -> str:
        self.http.close()
        self.process.send_signal(how)
        rest = self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait(15)
        return rest


def pids(mark: str) -> list[int]:
    return [
        one.pid
        for one in psutil.process_iter(["cmdline", "status"])
        if mark in (one.info["cmdline"] or ()) and one.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_a_killed_simulator_finds_its_pods_again(tmp_path) -> None:
    mark = f"6{time.time_ns() % 10**9}"
    first = Program(tmp_path)
    assert first.line.startswith("SIMULATED Runpod at http://127.0.0.1:")
    made = first.http.post("/pods", json={**POD, "args": f"sleep {mark}"}).json()
    eventually(lambda: pids(mark))
    eventually(lambda: first.pod(made["id"])["status"] == "RUNNING")
    before = pids(mark)
    first.end(signal.SIGKILL)
    assert pids(mark) == before, "the pod outlives whoever simulates it"
    time.sleep(0.5)
    second = Program(tmp_path)
    try:
        found = second.pod(made["id"])
        assert (found["status"], found["createdAt"]) == ("RUNNING", made["createdAt"])
        time.sleep(0.5)
        assert pids(mark) == before, "adopted, and not started a second time"
        meter = second.http.get(second.http.base_url.join("/simulator/meter")).json()
        assert meter["running_usd_per_h"] > 0.4
        hours = (time.time() - seconds_of(made["createdAt"])) / 3600
        assert meter["total_usd"] == pytest.approx(0.4414 * hours, rel=0.2), (
            "also for the time without a simulator"
        )
        assert second.http.delete(f"/pods/{made['id']}").status_code == 204
        assert not pids(mark)
    finally:
        second.end()


def test_one_that_was_killed_before_it_wrote_down_that_a_pod_runs(tmp_path) -> None:
    mark = f"4{time.time_ns() % 10**9}"
    first = Program(tmp_path)
    made = first.http.post("/pods", json={**POD, "args": f"sleep {mark}"}).json()
    eventually(lambda: pids(mark))
    first.end(signal.SIGKILL)
    state = json.loads((tmp_path / "state.json").read_text())
    state["pods"][made["id"]] |= {"status": "STARTING", "started_s": None}
    (tmp_path / "state.json").write_text(json.dumps(state))
    second = Program(tmp_path)
    try:
        eventually(lambda: second.pod(made["id"])["status"] == "RUNNING")
        eventually(lambda: len(pids(mark)) == 1)
        second.http.delete(f"/pods/{made['id']}")
    finally:
        second.end()
    assert not pids(mark)


def test_one_that_ends_leaves_no_process_and_starts_its_pods_again(tmp_path) -> None:
    mark = f"5{time.time_ns() % 10**9}"
    first = Program(tmp_path, "--key", "K")
    made = first.http.post("/pods", json={**POD, "args": f"sleep {mark}"}).json()
    eventually(lambda: pids(mark))
    assert all(line.startswith("SIMULATED ") for line in first.end().splitlines())
    assert not pids(mark)
    second = Program(tmp_path)
    try:
        eventually(lambda: pids(mark))
        assert second.pod(made["id"])["status"] == "RUNNING"
        second.http.delete(f"/pods/{made['id']}")
    finally:
        second.end()
    assert not pids(mark)


def test_the_state_is_for_its_users_eyes_only_and_a_foreign_file_is_refused(tmp_path) -> None:
    program = Program(tmp_path)
    program.end()
    state = tmp_path / "state.json"
    assert state.stat().st_mode & 0o77 == 0
    assert json.loads(state.read_text())["pods"] == {}
    state.write_text('{"resources": []}')
    with pytest.raises(ValueError, match="give another --folder"):
        State.load(state)
    state.write_text("not json")
    done = subprocess.run(
        [sys.executable, "-m", "infra.runpod.simulator", "--folder", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("SIMULATED error: ")
    assert "Traceback" not in done.stderr


def test_the_assumptions_are_listed_and_each_stands_in_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.runpod.simulator", "--assumptions"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) > 30
    assert all(line.startswith(("SIMULATED assumption: ", "SIMULATED docs: ")) for line in lines)
    assert "nowhere" not in done.stdout
