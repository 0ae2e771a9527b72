"""Simulated pods as containers: the machine's own program with a real sshd, mounts, and that no container is left."""

import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from infra.errors import DockerError
from infra.runpod.bootstrap import machine_variables, start_command
from infra.runpod.simulator.containers import OWNER, find_docker
from tests.infra.runpod.simulator.asking import CPU_POD, POD, account, eventually
from tests.sshd import missing_programs

pytestmark = [pytest.mark.docker, pytest.mark.slow]
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def docker():
    try:
        _, client = find_docker()
    except DockerError as error:
        pytest.skip(f"no container of this machine's programs: {error}")
    yield client
    client.close()


@pytest.fixture
def runpod(docker, tmp_path):
    with account(tmp_path / "runpod", grace_s=2.0, provision_s=0.1, start_s=0.1, pods="container") as client:
        yield client
    assert ours(docker, os.getpid()) == []


def ours(docker, pid: int) -> list[str]:
    """Containers of one simulator."""
    every = docker.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True)
    return [one.name for one in every if one.labels[OWNER].startswith(f"{pid}/")]


def shell(script: str) -> str:
    return shlex.join(("sh", "-c", script))


@pytest.mark.skipif(missing_programs() is not None, reason=str(missing_programs()))
@pytest.mark.parametrize("image", ["own image", "stock image"])
def test_a_machine_from_its_first_word_to_its_end(runpod, docker, tmp_path, image) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "mine"], check=True)
    volume = runpod.ask("POST", "/network-volumes", {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}).json()
    mounts = {"network": [{"volumeId": volume["id"], "path": "/workspace"}]}
    made = runpod.pod(
        args="" if image == "own image" else start_command(),
        env=machine_variables(
            lease_until=datetime.now(UTC) + timedelta(hours=1),
            job="/workspace/stamp/job",
            runs="/workspace/stamp",
            public_keys=[(tmp_path / "mine.pub").read_text().strip()],
            gpus=1,
            linger_minutes=60,
        ),
        ports=["22/tcp"],
        mounts=mounts,
    )
    log = runpod.log(made, lambda t: all(w in t for w in ("own key is", "GPU check", "Server listening")))
    assert "the pod's own key is accepted" in log
    assert "GPUs: NVIDIA GeForce RTX 4090" in log
    assert "GPU check: ok" in log
    told = next(line for line in log.splitlines() if "host key" in line).rpartition("host key ")[2]
    direct = runpod.until(made, "RUNNING")["ssh"]["direct"]

    def ssh(script: str) -> str:
        (tmp_path / "known").write_text(f"[127.0.0.1]:{direct['port']} {told}\n")
        options = [f"UserKnownHostsFile={tmp_path}/known", "StrictHostKeyChecking=yes", "BatchMode=yes"]
        words = ["ssh", "-F", "none", "-i", str(tmp_path / "mine"), *[w for o in options for w in ("-o", o)],
                 "-p", str(direct["port"]), f"{direct['username']}@127.0.0.1", script]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    inside = ssh(
        f"mkdir -p /workspace/stamp/job; {shlex.quote(sys.executable)} -c 'import torch; print(torch.__file__)'; "
        f"ls {PROJECT}; touch /usr/planted; rsync --version; ps -o pid= -p 1; env; setsid sleep 4343 >/dev/null 2>&1 &"
    )
    assert f"{sys.prefix}/lib" in inside, "torch is this machine's"
    assert "pyproject.toml" not in inside, "the sources are not there before they are uploaded"
    assert not Path("/usr/planted").exists()
    assert "rsync  version" in inside
    assert "RUNPOD_API_KEY" not in inside
    assert not Path("/workspace/stamp").exists(), "it is the pod's path, not this machine's"
    eventually(lambda: subprocess.run(["pgrep", "-f", "^sleep 4343$"], capture_output=True).stdout)
    ssh("cd /workspace/stamp/job && echo 0 >exit_code && touch released")
    eventually(lambda: runpod.ask("GET", f"/pods/{made['id']}").status_code == 404, timeout_s=30)
    assert ours(docker, os.getpid()) == []
    assert not subprocess.run(["pgrep", "-f", "^sleep 4343$"], capture_output=True).stdout
    reader = runpod.ask("POST", "/pods", {**CPU_POD, "mounts": mounts, "args": shell(
        "cat /workspace/stamp/job/exit_code; echo read; sleep 60")}, status=201).json()  # fmt: skip
    assert runpod.log(reader, lambda text: "read" in text, source="container") == "0\nread"


def test_it_is_started_again_with_its_disk_and_stopped_without(runpod) -> None:
    script = (
        "echo x >>/kept; echo born $(wc -l </kept); [ -s /tmp/second ] || { echo 1 >/tmp/second; exit 3; }; "
        "trap 'echo checkpoint written; exit 0' TERM; while :; do sleep 0.05; done"
    )
    made = runpod.pod(args=shell(script))
    told = runpod.log(made, lambda text: "born 2" in text)
    assert "container ended with code 3" in told
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "stop"}, status=200)
    runpod.log(made, lambda text: "checkpoint written" in text and "code 0" in text)
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "start"}, status=200)
    assert runpod.log(made, lambda text: text.count("born 1") == 2)


def test_one_that_ignores_the_signal_is_killed_after_its_grace(runpod, docker) -> None:
    made = runpod.pod(args=shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    runpod.log(made, lambda text: "ready" in text)
    began = time.monotonic()
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "stop"}, status=200)
    eventually(lambda: ours(docker, os.getpid()) == [])
    assert time.monotonic() - began > 1.9


def test_its_use_is_shown(runpod) -> None:
    busy = runpod.pod(args=shlex.join((sys.executable, "-IS", "-c", "while True: pass")))
    eventually(
        lambda: (runpod.look(busy)["runtime"] or {}).get("gpus", [{"util": 0}])[0]["util"] > 5, timeout_s=60
    )


@pytest.mark.parametrize("path", ["relative", "/", "/usr", "/usr/share/x", "/etc/ssl/certs", sys.prefix])
def test_nothing_is_mounted_over_its_programs(runpod, path) -> None:
    body = {**POD, "env": {"SONARSTACK_MACHINE_RUNS": path}}
    assert "nothing can be mounted" in runpod.ask("POST", "/pods", body, status=400).text


@pytest.mark.parametrize("also", ["alone", "with its keeper"])
def test_a_killed_simulator_leaves_no_container(docker, tmp_path, also) -> None:
    words = [sys.executable, "-m", "infra.runpod.simulator", "--folder", str(tmp_path), "--pods", "container"]
    process = subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    told = dict(word.partition("=")[::2] for word in line.split() if "=" in word)
    headers = {"Authorization": f"Bearer {told['RUNPOD_API_KEY']}"}
    made = httpx.post(f"{told['RUNPOD_REST_V2_API_URL']}/pods", json=POD, headers=headers, timeout=20)
    assert made.status_code == 201
    assert "containers" in process.stdout.readline()
    eventually(lambda: "Up" in str(docker.api.containers(filters={"name": made.json()["id"]})))
    keeper = int((tmp_path / "pods" / made.json()["id"] / "pid").read_text())
    if also == "with its keeper":
        # Neither can put anything away: it is the next simulator that does.
        os.kill(keeper, signal.SIGSTOP)
    process.kill()
    process.stdout.close()
    process.wait()
    if also == "with its keeper":
        below = psutil.Process(keeper).children(recursive=True)
        os.kill(keeper, signal.SIGKILL)
        for one in below:
            one.kill()
        time.sleep(0.5)
        assert len(ours(docker, process.pid)) == 1
        with account(tmp_path / "other", pods="container"):
            assert ours(docker, process.pid) == []
    eventually(lambda: ours(docker, process.pid) == [], timeout_s=30)
