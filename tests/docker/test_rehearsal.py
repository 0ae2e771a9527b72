"""The whole rehearsal with pods that are containers, with the real engine and without: nothing of it is left."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import DockerError
from infra.runpod.simulator.containers import OWNER, find_docker
from tests.sshd import missing_programs

PROJECT = Path(__file__).resolve().parents[2]
NO_ENGINE = "the pulumi program is not on PATH (make engine)"
pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(missing_programs() is not None, reason=str(missing_programs())),
]


@pytest.fixture(scope="module")
def docker():
    try:
        _, client = find_docker()
    except DockerError as error:
        pytest.skip(f"no container of this machine's programs: {error}")
    yield client
    client.close()


def left_of(docker, folder: Path) -> list[str]:
    """Simulated pods with something of that folder in them; other tests have theirs beside this one."""
    every = docker.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True)
    places = {one.name: [mount.get("Source", "") for mount in one.attrs["Mounts"]] for one in every}
    return [name for name, sources in places.items() if any(str(folder) in source for source in sources)]


@pytest.mark.parametrize(
    "engine",
    [
        "protocol",
        pytest.param(
            "pulumi",
            marks=[
                pytest.mark.engine,
                pytest.mark.skipif(shutil.which("pulumi") is None, reason=NO_ENGINE),
            ],
        ),
    ],
)
def test_all_promises_are_kept_and_no_container_is_left(engine, docker, tmp_path) -> None:
    words = ["rehearse", "runpod", "--pods", "container", "--engine", engine, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "stacks", *words],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told = json.loads(done.stdout)
    assert told["simulated"] is True
    assert told["pods"] == "container"
    assert ("pulumi v" in told["engine"]) == (engine == "pulumi")
    assert [one for one in told["promises"] if not one["kept"]] == []
    assert len(told["promises"]) == 12
    assert told["receipt"]["clean"] is True
    assert "SIMULATED pods are containers of this machine (Docker " in done.stderr
    assert left_of(docker, tmp_path) == []
    assert not list(tmp_path.glob("sonarstack-rehearsal-*"))
