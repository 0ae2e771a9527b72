"""The local target through the real engine and a real Docker: the image built, a training in it, nothing left."""

import docker
import pytest

from infra.errors import DockerError
from infra.local.docker_engine import SYSTEM_SOCKET, ask_docker
from infra.runs.manifest import differences
from tests.engine.stack import MARKS, Engine, make_tiles

BASE = "sonarstack-test-base:bookworm"
BUILD_TIMEOUT_S = 590
NO_PLUGIN = "Could not automatically download and install resource plugin 'pulumi-resource-docker'"
pytestmark = [*MARKS, pytest.mark.docker]


@pytest.fixture(scope="module")
def client():
    try:
        ask_docker(SYSTEM_SOCKET)
    except DockerError as error:
        pytest.skip(f"no Docker daemon: {error}")
    opened = docker.DockerClient(base_url=SYSTEM_SOCKET)
    if not opened.images.list(name=BASE):
        opened.close()
        pytest.skip(f"the base image {BASE} is not there (tests/docker/make_base.sh makes it)")
    yield opened
    opened.close()


@pytest.fixture
def engine(tmp_path, client):
    made = Engine(
        tmp_path / "project",
        {
            "target": "local",
            "recipe": "smoke",
            "dataUrl": str(make_tiles(tmp_path / "tiles")),
            "home": str(tmp_path / "run"),
            "tensorboardPort": 16006,
            # torch from the registry: its own index is not in reach everywhere.
            "buildArgs": {"BASE_IMAGE": BASE, "TORCH_BACKEND": ""},
            "trainArguments": ["--epochs", "1", "--val-fraction", "0.3"],
        },
    )
    yield made
    made.end()


def ours(client: docker.DockerClient) -> set[str]:
    """All that Docker holds with the stamp of the stack under test."""
    label = {"label": "org.sonarstack.stamp"}
    found = {c.name for c in client.containers.list(all=True, filters=label)}
    found |= {n.name for n in client.networks.list(filters=label)}
    found |= {v.name for v in client.volumes.list(filters=label)}
    return found | {tag for i in client.images.list() for tag in i.tags if tag.startswith("sonarstack-test:")}


def test_a_training_in_a_container_from_preview_to_nothing_left(engine, client) -> None:
    preview = engine("preview", "--stack", "test")
    if NO_PLUGIN in preview.stdout:
        pytest.skip("the engine's Docker plugin is not installed, and cannot be fetched here")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert ours(client) == set()

    up = engine.up("--config", "sonarstack:wait=true", timeout_s=BUILD_TIMEOUT_S)
    assert up.returncode == 0, up.stdout + up.stderr
    told = engine.outputs()
    assert (told["state"], told["outcome"]) == ("ended", "done")
    assert differences(engine.folder.parent / "run") == []
    assert len(ours(client)) >= 3

    again = engine.up("--expect-no-changes", timeout_s=BUILD_TIMEOUT_S)
    assert again.returncode == 0, again.stdout

    other = engine.up("--config", "sonarstack:rerun=b", timeout_s=BUILD_TIMEOUT_S)
    assert other.returncode == 0, other.stdout + other.stderr
    assert engine.outputs()["outcome"] == "done"
    assert differences(engine.folder.parent / "run-b") == []

    end = engine.destroy()
    assert end.returncode == 0, end.stdout + end.stderr
    assert ours(client) == set()
    assert differences(engine.folder.parent / "run-b") == []
