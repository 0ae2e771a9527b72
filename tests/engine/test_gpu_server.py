"""One's own GPU server through the real engine: a real sshd, code and data sent, the run brought home."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.runs.manifest import differences
from tests.engine.stack import MARKS, Engine, make_tiles
from tests.sshd import missing_programs, serve

pytestmark = MARKS


@pytest.fixture
def server(tmp_path_factory):
    reason = missing_programs()
    if reason:
        pytest.skip(reason)
    yield from serve(tmp_path_factory.mktemp("server"))


@pytest.fixture
def agent(server):
    """An agent with the client's key, as a user has one: the stack names no key file."""
    started = subprocess.run(["ssh-agent", "-c"], capture_output=True, text=True, check=True).stdout
    words = started.replace(";", " ").split()
    variables = {words[i + 1]: words[i + 2] for i, word in enumerate(words) if word == "setenv"}
    subprocess.run(["ssh-add", "-q", server.identity], env=variables, check=True, capture_output=True)
    yield variables
    subprocess.run(["kill", variables["SSH_AGENT_PID"]], check=True)


@pytest.fixture
def engine(tmp_path, server, agent):
    made = Engine(
        tmp_path / "project",
        {
            "target": "local",
            "recipe": "smoke",
            "dataUrl": str(make_tiles(tmp_path / "tiles")),
            "home": str(tmp_path / "run"),
            "gpuServer": server.address,
            "gpuServerHostKey": server.host_key,
            "gpuServerFolder": str(server.home / "sonarstack"),
            "gpuServerPython": sys.executable,
            "trainArguments": ["--epochs", "1", "--val-fraction", "0.3"],
        },
    )
    yield made
    made.end(**agent)


def test_a_training_on_a_server_from_up_to_the_run_at_home(engine, server, agent) -> None:
    up = engine.up("--config", "sonarstack:wait=true", **agent)
    assert up.returncode == 0, up.stdout + up.stderr
    told = engine.outputs()
    assert (told["state"], told["outcome"]) == ("ended", "done")
    sent = Path(server.home / "sonarstack" / "test" / "code")
    assert (sent / "app").is_dir()
    assert not (sent / "infra").exists()

    again = engine.up("--expect-no-changes", **agent)
    assert again.returncode == 0, again.stdout

    end = engine.destroy(**agent)
    assert end.returncode == 0, end.stdout + end.stderr
    assert differences(engine.folder.parent / "run") == []
    assert not sent.exists()


def test_a_wrong_host_key_is_refused_with_one_line(engine, server, agent) -> None:
    other = server.host_key[:-6] + "AAAAAA"
    up = engine.up("--config", f"sonarstack:gpuServerHostKey={other}", **agent)
    assert up.returncode != 0
    assert "host key" in up.stdout
    assert "Traceback" not in up.stdout
    assert not (server.home / "sonarstack").exists()
