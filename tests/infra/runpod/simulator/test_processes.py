"""Pods as real processes: what they see, what they write, and that nothing of them is left."""

import os
import shlex
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.infra.runpod.simulator.asking import CPU_POD, GPU, POD, eventually


def shell(script: str) -> str:
    return shlex.join(("sh", "-c", script))


def living(mark: str) -> list[int]:
    """Processes that have the mark among their words."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or ()
        if mark in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def test_the_environment_is_fresh(runpod, monkeypatch) -> None:
    monkeypatch.setenv("PLANTED_IN_THE_SIMULATOR", "1")
    made = runpod.pod(args=shell("env; echo end of env; sleep 60"), env={"MINE": "a b"}, ports=["22/tcp"])
    seen = dict(
        line.partition("=")[::2] for line in runpod.log(made, lambda t: "end of env" in t).splitlines()
    )
    assert "PLANTED_IN_THE_SIMULATOR" not in seen
    assert seen["MINE"] == "a b"
    assert seen["RUNPOD_POD_ID"] == made["id"]
    assert seen["RUNPOD_REST_V2_API_URL"] == runpod.sim.address
    assert (seen["RUNPOD_DC_ID"], seen["RUNPOD_GPU_COUNT"]) == (made["dataCenterId"], "1")
    assert seen["RUNPOD_API_KEY"] not in ("", runpod.sim.key)
    port = runpod.until(made, "RUNNING")["ssh"]["direct"]["port"]
    assert seen["SONARSTACK_MACHINE_SSH_PORT"] == str(port)
    assert seen["SONARSTACK_MACHINE_SSH_ADDRESS"] == "127.0.0.1"


def test_keys_of_the_account_and_a_password_are_injected_unseen(runpod) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILXGDN me@example.com"
    runpod.ask("PUT", "/account/ssh-keys", {"keys": [key]}, status=200)
    made = runpod.pod(args=shell("echo $PUBLIC_KEY; echo pw=$JUPYTER_PASSWORD; sleep 60"), startSsh=True,
                      startJupyter=True)  # fmt: skip
    told = runpod.log(made, lambda text: "pw=" in text)
    assert key in told
    assert len(told.rpartition("pw=")[2]) > 10
    assert made["env"] == {}


def test_a_gpu_to_look_at_and_none_on_a_cpu_pod(runpod) -> None:
    asks = "nvidia-smi --query-gpu=name,memory.total --format=csv,noheader; echo code $?; nvidia-smi -L; sleep 60"
    told = runpod.log(runpod.pod(args=shell(asks), gpu={"id": GPU, "count": 2}), lambda t: "GPU 1:" in t)
    assert told.count(f"{GPU}, 24576 MiB") == 2
    assert "code 0" in told
    made = runpod.ask("POST", "/pods", {**CPU_POD, "args": shell(asks)}, status=201).json()
    assert "GeForce" not in runpod.log(made, lambda text: "code" in text)


def test_one_that_ends_is_started_again(runpod) -> None:
    made = runpod.pod(args=shell("echo born $$; echo x >>kept; wc -l <kept; sleep 0.2; exit 3"))
    told = runpod.log(made, lambda text: text.count("born") == 2)
    assert "container ended with code 3" in told
    assert runpod.look(made)["status"] == "RUNNING"


def test_one_that_cannot_start_says_so_and_nothing_else_breaks(runpod) -> None:
    made = runpod.pod(args="no-such-program --now")
    assert "no-such-program" in runpod.log(made, lambda text: "cannot start" in text)


STRAYS = "setsid sh -c 'sleep 61 & sleep 61' {mark} & env -i setsid sleep {mark} & sleep 300"
"""One in a session of its own with a child, one without the pod's variables: both outlive a process group's end."""


@pytest.mark.parametrize("how", ["delete", "terminate", "kill", "restart", "stop"])
def test_nothing_is_left_of_it(runpod, how: str) -> None:
    mark = f"7{time.time_ns() % 10**9}"
    made = runpod.until(runpod.pod(args=shell(STRAYS.format(mark=mark))), "RUNNING")
    eventually(lambda: len(living(mark)) == 2)
    before = living(mark)
    keeper = runpod.sim.simulation.pods.processes._ours[made["id"]].pid
    below = [one.pid for one in psutil.Process(keeper).children(recursive=True)]
    assert len(below) >= 5
    path = f"/pods/{made['id']}"
    if how == "delete":
        runpod.ask("DELETE", path, status=204)
    elif how == "terminate":
        runpod.ask("POST", f"{path}/action", {"action": "terminate"}, status=204)
    elif how == "kill":
        runpod.ask("POST", f"/simulator{path}/kill", status=204)
    else:
        runpod.ask("POST", f"{path}/action", {"action": how}, status=200)
        eventually(lambda: not set(before) & set(living(mark)))
    assert not set(before) & set(living(mark))
    assert not [pid for pid in below if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    if how in ("delete", "terminate", "kill"):
        assert not (runpod.sim.simulation.pods.processes.folder(made["id"])).exists()
        runpod.ask("GET", path, status=404)


def test_strays_are_found_without_the_keeper_too(runpod) -> None:
    mark = f"8{time.time_ns() % 10**9}"
    made = runpod.until(runpod.pod(args=f"sleep {mark}"), "RUNNING")
    eventually(lambda: living(mark))
    keeper = runpod.sim.simulation.pods.processes._ours[made["id"]].pid
    old = living(mark)
    os.kill(keeper, 9)
    # The host starts what it has, and only once.
    eventually(lambda: living(mark) and not set(old) & set(living(mark)))
    runpod.ask("DELETE", f"/pods/{made['id']}", status=204)
    assert not living(mark)


def test_stop_lets_it_end_well_and_keeps_no_disk(runpod) -> None:
    script = (
        "trap 'echo checkpoint written; exit 0' TERM; touch here; echo ready; while :; do sleep 0.05; done"
    )
    made = runpod.pod(args=shell(script))
    runpod.log(made, lambda text: "ready" in text)
    folder = runpod.sim.simulation.pods.processes.folder(made["id"])
    assert (folder / "disk" / "here").exists()
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "stop"}, status=200)
    assert runpod.log(made, lambda text: "code 0" in text).count("checkpoint written") == 1
    (folder / "disk" / "old").touch()
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "start"}, status=200)
    runpod.until(made, "RUNNING")
    assert not (folder / "disk" / "old").exists()


def test_one_that_ignores_the_signal_is_killed_after_its_grace(runpod) -> None:
    made = runpod.pod(args=shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    runpod.log(made, lambda text: "ready" in text)
    began = time.monotonic()
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "stop"}, status=200)
    runpod.log(made, lambda text: "code -9" in text)
    assert 0.9 < time.monotonic() - began < 10


def test_a_volume_outlives_its_pods_and_is_shared(runpod) -> None:
    volume = runpod.ask("POST", "/network-volumes", {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}).json()
    path = runpod.sim.allowed / "deep" / "workspace"
    mounts = {"network": [{"volumeId": volume["id"], "path": str(path)}]}
    write = runpod.pod(args=shell(f"echo result >{path}/run; echo done; sleep 60"), mounts=mounts)
    read = runpod.ask("POST", "/pods", {**CPU_POD, "mounts": mounts, "args": "sleep 60"}, status=201).json()
    runpod.log(write, lambda text: "done" in text)
    assert path.is_symlink()
    runpod.ask("DELETE", f"/pods/{write['id']}", status=204)
    assert (path / "run").read_text() == "result\n", "another pod has it still"
    runpod.ask("DELETE", f"/network-volumes/{volume['id']}", status=400)
    runpod.ask("DELETE", f"/pods/{read['id']}", status=204)
    assert not path.is_symlink()
    again = runpod.pod(args=shell(f"cat {path}/run; sleep 60"), mounts=mounts)
    assert "result" in runpod.log(again, lambda text: "result" in text)
    second = runpod.ask("POST", "/network-volumes", {"name": "w", "size": 10, "dataCenter": "EU-RO-1"}).json()
    other = {"network": [{"volumeId": second["id"], "path": str(path)}]}
    assert "another simulated pod" in runpod.ask("POST", "/pods", {**POD, "mounts": other}, status=400).text
    runpod.ask("DELETE", f"/pods/{again['id']}", status=204)
    runpod.ask("DELETE", f"/network-volumes/{volume['id']}", status=204)
    assert not (runpod.sim.simulation.settings.folder / "volumes" / volume["id"]).exists()


def test_without_a_volume_the_runs_lie_on_the_pods_own_disk(runpod) -> None:
    path = runpod.sim.allowed / "workspace"
    made = runpod.pod(args=shell(f"echo x >{path}/run; echo done; sleep 60"),
                      env={"SONARSTACK_MACHINE_RUNS": str(path)})  # fmt: skip
    runpod.log(made, lambda text: "done" in text)
    assert (path / "run").exists()
    runpod.ask("DELETE", f"/pods/{made['id']}", status=204)
    assert not path.exists()
    assert not path.is_symlink()


def test_two_pods_with_one_path_on_their_own_disks(runpod) -> None:
    path = runpod.sim.allowed / "workspace"
    body = {"args": "sleep 60", "env": {"SONARSTACK_MACHINE_RUNS": str(path)}}
    first = runpod.until(runpod.pod(**body), "RUNNING")
    second = runpod.until(runpod.pod(**body), "RUNNING")
    disk = runpod.sim.simulation.pods.processes.folder(second["id"]) / "disk"
    assert path.readlink() == disk
    runpod.ask("DELETE", f"/pods/{first['id']}", status=204)
    assert path.readlink() == disk


def test_what_exists_on_this_machine_is_not_taken(runpod) -> None:
    path = runpod.sim.allowed / "mine"
    path.mkdir()
    (path / "precious").touch()
    for taken in (path, path / ".." / ".." / "elsewhere", Path("relative")):
        runpod.ask("POST", "/pods", {**POD, "env": {"SONARSTACK_MACHINE_RUNS": str(taken)}}, status=400)
    assert (path / "precious").exists()


def test_the_log_from_where_one_likes(runpod) -> None:
    made = runpod.pod(args=shell("for n in 1 2 3 4 5; do echo line $n; done; echo to stderr >&2; sleep 60"))
    every = runpod.log(made, lambda text: "to stderr" in text, source="container")
    assert every.splitlines()[:2] == ["line 1", "line 2"]
    assert runpod.log(made, lambda text: "stderr" in text, tail=2, source="container") == "line 5\nto stderr"
    assert runpod.log(made, lambda text: "start" in text, source="system").startswith("create container")
    path = f"/v2/pods/{made['id']}/logs"
    with runpod._http.stream("GET", path, params={"source": "container"}) as answer:
        ids = [
            line[4:] for line, _ in zip(answer.iter_lines(), range(9), strict=False) if line.startswith("id")
        ]
    with runpod._http.stream("GET", path, headers={"Last-Event-ID": ids[1]}) as answer:
        assert '"line 3"' in next(line for line in answer.iter_lines() if line.startswith("data"))
    since = ids[2].partition("/")[0]
    with runpod._http.stream("GET", path, params={"since": since, "tail": 0}) as answer:
        assert '"ts": "' + since in next(line for line in answer.iter_lines() if line.startswith("data"))
    for query in ({"tail": 5001}, {"source": "host"}, {"since": "yesterday"}):
        runpod.ask("GET", f"/pods/{made['id']}/logs", params=query, status=422)


def test_the_log_goes_on_while_somebody_listens_and_ends_with_the_pod(runpod) -> None:
    made = runpod.pod(args=shell("sleep 0.5; echo later; sleep 60"))
    runpod.until(made, "RUNNING")
    with runpod._http.stream("GET", f"/v2/pods/{made['id']}/logs", params={"tail": 0}) as answer:
        lines = answer.iter_lines()
        assert "later" in next(line for line in lines if '"source": "container"' in line)
        runpod.sim.kill_pod(made["id"])
        assert not [line for line in lines if line.startswith("data")]


def test_use_is_shown(runpod) -> None:
    busy = runpod.pod(args=shlex.join((sys.executable, "-IS", "-c", "while True: pass")))
    eventually(
        lambda: (runpod.look(busy)["runtime"] or {}).get("gpus", [{"util": 0}])[0]["util"] > 5, timeout_s=60
    )
    runpod.ask("POST", f"/simulator/pods/{busy['id']}/use", {"gpu": 5, "memory": 50}, status=200)
    assert runpod.look(busy)["runtime"]["gpus"] == [{"util": 5, "memoryUtil": 50}]
