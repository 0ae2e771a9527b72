"""The cloud image as a rented machine: SSH by key as an ordinary user, boards on loopback only, quick to end."""

import socket
import subprocess
import time

import pytest

from infra.errors import DockerError
from infra.jobs.container import connect
from infra.local.docker_engine import SYSTEM_SOCKET, ask_docker
from tests.sshd import missing_programs

IMAGE = "sonarstack:cloud"
pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def docker():
    try:
        ask_docker(SYSTEM_SOCKET)
    except DockerError as error:
        pytest.skip(f"no Docker daemon: {error}")
    reason = missing_programs()
    if reason:
        pytest.skip(reason)
    client = connect(None)
    if not client.images.list(name=IMAGE):
        client.close()
        pytest.skip(f"the image {IMAGE} is not there (make image-cloud makes it)")
    yield client
    client.close()


def until(true, timeout_s: float = 60.0):
    deadline = time.monotonic() + timeout_s
    while not (answer := true()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.2)
    return answer


def test_a_rented_machine(docker, tmp_path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    container = docker.containers.run(
        IMAGE,
        detach=True,
        ports={"2222/tcp": ("127.0.0.1", port)},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        environment={
            "SONARSTACK_MACHINE_KEYS": (tmp_path / "key.pub").read_text(),
            "SONARSTACK_MACHINE_LEASE_UNTIL": str(time.time() + 600),
        },
    )
    try:
        until(lambda: b"Jupyter Server" in container.logs() and b"TensorBoard 2" in container.logs())
        log = container.logs().decode()
        told = next(line for line in log.splitlines() if "host key" in line).rpartition("host key ")[2]
        (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {told}\n")
        options = [f"UserKnownHostsFile={tmp_path}/known", "StrictHostKeyChecking=yes", "BatchMode=yes"]
        words = [
            "ssh", "-F", "none", "-i", str(tmp_path / "key"), *[w for o in options for w in ("-o", o)],
            "-p", str(port), "sonar@127.0.0.1", "id -u; rsync --version | head -1; cat /proc/net/tcp",
        ]  # fmt: skip
        inside = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert inside.returncode == 0, inside.stderr
        assert inside.stdout.startswith("10001\nrsync")
        listening = {
            line.split()[1]
            for line in inside.stdout.splitlines()
            if len(line.split()) > 3 and line.split()[3] == "0A"
        }
        board, notebook, ssh = f"{6006:04X}", f"{8888:04X}", f"{2222:04X}"
        assert listening == {f"0100007F:{board}", f"0100007F:{notebook}", f"00000000:{ssh}"}
        container.stop(timeout=30)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 143
    finally:
        container.remove(force=True)
