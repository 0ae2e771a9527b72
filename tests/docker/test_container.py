"""The detection image and a job in a container, on a real Docker daemon."""

import subprocess
import uuid

import pytest

from infra.errors import DockerError
from infra.jobs.container import ContainerJob, connect
from infra.jobs.job import follow_log, log_tail, wait_for
from infra.local.docker_engine import SYSTEM_SOCKET, ask_docker
from infra.provider.tables.built_image import BuiltImageTable

BASE = "sonarstack-test-base:bookworm"
pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def docker():
    try:
        ask_docker(SYSTEM_SOCKET)
    except DockerError as error:
        pytest.skip(f"no Docker daemon: {error}")
    client = connect(None)
    if not client.images.list(name=BASE):
        client.close()
        pytest.skip(f"the base image {BASE} is not there (tests/docker/make_base.sh makes it)")
    yield client
    client.close()


@pytest.fixture
def run(docker):
    """Start a container that is removed again."""
    made = []

    def start(script: str, **options):
        container = docker.containers.create(
            BASE, ["sh", "-c", script], name=f"test-{uuid.uuid4().hex[:8]}", **options
        )
        made.append(container)
        container.start()
        return ContainerJob(container.id)

    yield start
    for container in made:
        container.remove(force=True)


@pytest.mark.parametrize(("code", "state"), [(0, "ended"), (83, "ended"), (3, "failed")])
def test_a_container_ends_with_its_code(run, code, state) -> None:
    job = run(f"echo hello; exit {code}")
    status = wait_for(job, timeout_s=30)
    assert (status.state, status.exit_code) == (state, code)
    assert log_tail(job) == "hello"
    assert list(follow_log(job)) == ["hello"]


def test_a_container_is_asked_to_stop_and_may_save(run) -> None:
    job = run("trap 'echo saved; exit 83' TERM; echo ready; while :; do sleep 0.1; done")
    wait_for(job, until=lambda s: "ready" in log_tail(job), timeout_s=30)
    status = job.stop(20)
    assert status.outcome == "interrupted"
    assert "saved" in log_tail(job)


def test_a_container_out_of_memory_says_so(run) -> None:
    job = run("python3 -c 'x = bytearray(400 * 2**20)'", mem_limit="64m", memswap_limit="64m")
    status = wait_for(job, timeout_s=60)
    assert status.outcome == "failed"
    assert "memoryGib" in status.reason or status.exit_code == 137


def test_a_container_that_is_gone_is_lost() -> None:
    assert ContainerJob("0" * 64).status().state == "lost"


def test_images_go_with_the_stack_unless_they_are_kept(docker) -> None:
    table = BuiltImageTable()
    made = docker.images.build(fileobj=_dockerfile(), rm=True)[0].id
    outputs = {"builds": [made]}
    table.delete(None, made, {"reference": made, "keep": True}, outputs)  # type: ignore[arg-type]
    assert docker.images.get(made).id == made
    table.delete(None, made, {"reference": made}, outputs)  # type: ignore[arg-type]
    assert made not in [image.id for image in docker.images.list()]
    table.delete(None, made, {"reference": made}, outputs)  # type: ignore[arg-type]


def test_no_docker_is_one_line() -> None:
    with pytest.raises(DockerError, match="Docker does not answer"):
        ContainerJob("x", docker_host="tcp://127.0.0.1:1").status()


def test_the_base_has_python() -> None:
    subprocess.run(["docker", "run", "--rm", BASE, "python3", "--version"], check=True, capture_output=True)


def _dockerfile():
    import io

    return io.BytesIO(f"FROM {BASE}\nLABEL test={uuid.uuid4().hex}\n".encode())
