"""Docker is asked before anything needs it: against a server that answers as Docker does, and the real one."""

import json
import os
import shutil
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from infra.errors import DockerError
from infra.local.docker_engine import SYSTEM_SOCKET, ask_docker, docker_address, image_labels

INFO = {
    "ServerVersion": "28.2",
    "Architecture": "aarch64",
    "NCPU": 4,
    "MemTotal": 8 * 2**30,
    "Runtimes": {"runc": {}},
}


@pytest.fixture
def docker(tmp_path):
    """A Unix socket that answers /info with what is asked of it."""
    answer = {"status": 200, "info": INFO}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer["info"]).encode()
            self.send_response(answer["status"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "unix"

    server = socketserver.ThreadingUnixStreamServer(str(tmp_path / "d.sock"), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"unix://{tmp_path}/d.sock", answer
    server.shutdown()
    thread.join()
    server.server_close()


def test_its_facts_are_told_in_our_words(docker) -> None:
    facts = ask_docker(docker[0])
    assert (facts.version, facts.architecture, facts.cores, facts.memory_gib) == ("28.2", "arm64", 4, 8.0)
    assert not facts.gpu


@pytest.mark.parametrize(
    "info", [{"Runtimes": {"nvidia": {}}}, {"DiscoveredDevices": [{"ID": "nvidia.com/gpu=0"}]}]
)
def test_a_gpu_is_seen_by_runtime_or_device(docker, info) -> None:
    address, answer = docker
    answer["info"] = INFO | info
    assert ask_docker(address).gpu


def test_something_else_on_the_socket(docker) -> None:
    address, answer = docker
    answer["status"] = 404
    with pytest.raises(DockerError, match="answers 404, not its facts; is it a Docker"):
        ask_docker(address)


def test_labels_of_an_image_that_is_there_and_of_one_that_is_not(docker) -> None:
    address, answer = docker
    answer["info"] = {"Config": {"Labels": {"a": "b"}}}
    assert image_labels(address, "mine:1") == {"a": "b"}
    answer["info"] = {"Config": {"Labels": None}}
    assert image_labels(address, "mine:1") == {}
    answer["status"] = 404
    assert image_labels(address, "mine:1") is None


def test_the_setting_comes_before_the_variable() -> None:
    assert docker_address("unix:///a", {"DOCKER_HOST": "unix:///b"}) == "unix:///a"
    assert docker_address(None, {"DOCKER_HOST": "unix:///b"}) == "unix:///b"
    assert docker_address(None, {}) == SYSTEM_SOCKET


@pytest.mark.docker
def test_the_real_one() -> None:
    if not os.path.exists("/var/run/docker.sock") or shutil.which("docker") is None:  # noqa: PTH110
        pytest.skip("no Docker daemon on this machine")
    try:
        facts = ask_docker(SYSTEM_SOCKET)
    except DockerError as error:
        pytest.skip(f"Docker does not answer: {error}")
    assert facts.version
    assert facts.cores > 0
    assert image_labels(SYSTEM_SOCKET, "sonarstack/no-such-image:ever") is None
