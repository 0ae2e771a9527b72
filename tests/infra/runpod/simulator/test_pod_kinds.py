"""Processes or containers: which it is and why, where there is no Docker; and the keeper that leaves with its owner."""

import io
import json
import os
import stat
import subprocess
import sys
import tarfile

import pytest

from infra.errors import DockerError
from infra.runpod.simulator import pod_image
from infra.runpod.simulator.container import began
from infra.runpod.simulator.pod_kinds import choose_pods
from infra.runpod.simulator.processes import KEEPER
from tests.infra.runpod.simulator.asking import eventually


@pytest.fixture
def no_docker(tmp_path, monkeypatch) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")


def test_without_docker_pods_are_processes_and_it_says_why(no_docker) -> None:
    chosen = choose_pods("auto")
    assert chosen.kind == "process"
    assert chosen.line().startswith("pods are processes of this machine (Docker does not answer at unix://")
    assert "mode" not in chosen.line()
    assert choose_pods("process").why == "asked for"
    with pytest.raises(DockerError, match="does not answer"):
        choose_pods("container")


def test_without_dockers_program_likewise(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "the docker program is not on PATH" in choose_pods("auto").why


def test_the_program_says_so_in_one_line(no_docker, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.runpod.simulator", "--folder", tmp_path, "--pods", "container"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("SIMULATED error: --pods container: Docker does not answer")
    assert done.stderr.count("\n") == 1


def test_a_pods_disk_has_no_passwords_and_no_programs() -> None:
    disk = pod_image._disk()
    assert disk == pod_image._disk()
    with tarfile.open(fileobj=io.BytesIO(disk)) as archive:
        names = {one.name: one for one in archive}
        shadow = archive.extractfile("etc/shadow").read().decode()  # type: ignore[union-attr]
        people = archive.extractfile("etc/passwd").read().decode()  # type: ignore[union-attr]
    assert {line.split(":")[1] for line in shadow.splitlines()} == {"*"}
    assert stat.S_IMODE(names["etc/shadow"].mode) == 0o600
    assert f":x:{os.getuid()}:" in people
    assert stat.S_IMODE(names["tmp"].mode) == 0o1777
    assert not [one for one in names.values() if one.isfile() and not one.name.startswith("etc/")]
    places = [mount["Target"] for mount in pod_image.programs()]
    assert sys.base_prefix in places or "/usr" in places
    assert all(mount["ReadOnly"] for mount in pod_image.programs())


@pytest.mark.skipif(sys.platform != "linux", reason="containers have keepers on Linux alone")
def test_a_keeper_leaves_with_its_owner(tmp_path) -> None:
    told = {
        "argv": ["sh", "-c", "echo up; sleep 300"],
        "env": {"PATH": os.defpath},
        "cwd": str(tmp_path),
        "delay_s": 0.0,
        "grace_s": 5.0,
        "pause_s": 0.1,
        "stop": [],
        "leave": ["touch", str(tmp_path / "left")],
    }
    # Its owner starts it and is gone.
    starts = (
        "import json, os, pathlib, subprocess, sys, time; folder = pathlib.Path(sys.argv[2]); "
        "told = json.loads((folder / 'told').read_text()) | {'owner': os.getpid()}; "
        "(folder / 'container.json').write_text(json.dumps(told)); "
        "keeper = subprocess.Popen([sys.executable, '-IS', sys.argv[1], str(folder)], start_new_session=True); "
        "print(keeper.pid, flush=True); sys.stdin.read()"
    )
    (tmp_path / "told").write_text(json.dumps(told))
    owner = subprocess.Popen(
        [sys.executable, "-IS", "-c", starts, str(KEEPER), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    keeper = int(owner.stdout.readline())
    eventually(lambda: (tmp_path / "log.jsonl").exists() and "up" in (tmp_path / "log.jsonl").read_text())
    assert began(keeper) > began(os.getpid())
    assert not (tmp_path / "left").exists()
    owner.kill()
    owner.communicate()
    eventually(lambda: (tmp_path / "left").exists())
    eventually(lambda: began(keeper) == 0)
    assert "ended with code -15" in (tmp_path / "log.jsonl").read_text()
