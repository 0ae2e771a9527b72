"""The training image at work: a smoke run, stopped by a signal, taken up again to its end; then detection from it."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import DockerError
from infra.jobs.container import ContainerJob, connect
from infra.jobs.job import log_tail, wait_for
from infra.local.docker_engine import SYSTEM_SOCKET, ask_docker
from infra.runs.manifest import differences, read_manifest

IMAGE = "sonarstack:cpu"
USER = 23456
"""Nobody in particular: the image must run as anyone."""
PROJECT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def docker():
    try:
        ask_docker(SYSTEM_SOCKET)
    except DockerError as error:
        pytest.skip(f"no Docker daemon: {error}")
    client = connect(None)
    if not client.images.list(name=IMAGE):
        client.close()
        pytest.skip(f"the image {IMAGE} is not there (make image-cpu makes it)")
    yield client
    client.close()


@pytest.fixture
def train(docker, tmp_path):
    """Start a training as the local target does; its containers are removed again."""
    tiles, runs = tmp_path / "tiles", tmp_path / "runs"
    subprocess.run(
        [sys.executable, "-m", "app", "simulate", "--tiles", "24", "--out", str(tiles), "--size-px", "128"],
        check=True,
        capture_output=True,
        cwd=PROJECT,
    )
    runs.mkdir()
    runs.chmod(0o777)
    made = []

    def start(epochs: int) -> ContainerJob:
        words = ["train", "--data", "/data", "--recipe", "smoke", "--run", "/runs/x", "--epochs", str(epochs)]
        # Threads that wait for each other are slowest where the machine has other work.
        words += ["--threads", "1"]
        container = docker.containers.run(
            IMAGE,
            words,
            detach=True,
            user=f"{USER}:{USER}",
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": "size=256m"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            volumes={str(tiles): {"bind": "/data", "mode": "ro"}, str(runs): {"bind": "/runs"}},
        )
        made.append(container)
        return ContainerJob(container.id)

    yield start, runs / "x"
    for container in made:
        container.remove(force=True)


def test_the_image_carries_the_seams_version_and_no_root(docker) -> None:
    config = docker.images.get(IMAGE).attrs["Config"]
    assert config["Labels"]["org.sonarstack.seam"] == "1"
    assert config["User"] == "10001:10001"


def test_a_run_is_stopped_with_a_checkpoint_and_taken_up_to_its_end(train) -> None:
    start, run = train
    job = start(8)
    wait_for(job, until=lambda s: s.over or (run / "metrics.jsonl").exists(), timeout_s=120)
    status = job.stop(60)
    assert (status.exit_code, status.outcome) == (83, "interrupted"), log_tail(job)
    assert list((run / "checkpoints").glob("step-*.pt"))
    assert differences(run) == []
    assert not read_manifest(run)[0]

    again = start(8)
    status = wait_for(again, timeout_s=400)
    assert status.outcome == "done", log_tail(again)
    assert "resumed from step-" in again.read_log().decode()
    assert differences(run) == []
    assert read_manifest(run)[0]
