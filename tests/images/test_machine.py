"""The rented machine's program: real processes, a real sshd, and a provider on loopback that notes questions."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.sshd import missing_programs

MACHINE = Path(__file__).resolve().parents[2] / "images" / "cloud" / "machine.py"
KEY = "rp-pods-own-key"


class Provider:
    """Answers for one pod as the contract says; `refuse` answers 403 instead."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.refuse = False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, {"id": self.path.rsplit("/", 1)[1]})

            def do_DELETE(self) -> None:
                self.answer(204, None)

            def answer(self, status: int, body: dict | None) -> None:
                provider.asked.append((self.command, self.path, self.headers["Authorization"]))
                self.send_response(403 if provider.refuse else status)
                self.end_headers()
                if body is not None and not provider.refuse:
                    self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def deletions(self) -> list[str]:
        return [path for command, path, _ in self.asked if command == "DELETE"]


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def start(tmp_path, provider):
    """Start a machine; its log is a file, since its services outlive a pipe."""
    started = []

    def run(**variables: object) -> subprocess.Popen:
        port = provider.server.server_address[1]
        told = {
            "RUNPOD_POD_ID": "pod1",
            "RUNPOD_API_KEY": KEY,
            "RUNPOD_REST_V2_API_URL": f"http://127.0.0.1:{port}/v2",
            "SONARSTACK_MACHINE_JOB": tmp_path / "job",
            "SONARSTACK_MACHINE_PRIVATE": tmp_path / "private",
            **variables,
        }
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-S", str(MACHINE)],  # -S: no Jupyter or TensorBoard of this environment
                env={"PATH": os.environ["PATH"], **{k: str(v) for k, v in told.items() if v is not None}},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        subprocess.run(["pkill", "-KILL", "-g", str(process.pid)])
        process.wait()


def log(tmp_path: Path) -> str:
    return (tmp_path / "log").read_text()


def until(true, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def job(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "job"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_it_ends_the_pod_when_the_job_has_ended_and_keeps_asking(tmp_path, provider, start) -> None:
    folder = job(tmp_path)
    (folder / "started").mkdir()
    machine = start(SONARSTACK_MACHINE_LINGER_MINUTES=0, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key is accepted" in log(tmp_path))
    time.sleep(2.5)
    assert not provider.deletions
    (folder / "exit_code").write_text("0\n")
    until(lambda: provider.deletions)
    assert provider.deletions[0] == "/v2/pods/pod1"
    assert all(authorization == f"Bearer {KEY}" for _, _, authorization in provider.asked)
    assert machine.poll() is None, "a container that ends is started again by the provider, and bills on"
    assert "the job has ended with code 0" in log(tmp_path)


def test_it_lingers_for_the_run_and_not_longer_than_that(tmp_path, provider, start) -> None:
    folder = job(tmp_path, exit_code="80\n")
    (folder / "started").mkdir()
    start(SONARSTACK_MACHINE_LINGER_MINUTES=60, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    time.sleep(2.5)
    assert not provider.deletions
    (folder / "released").touch()
    until(lambda: provider.deletions)
    assert "its run is safe" in log(tmp_path)


def test_a_machine_on_which_nothing_begins_ends(tmp_path, provider, start) -> None:
    start(SONARSTACK_MACHINE_START_MINUTES=0.02, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: provider.deletions)
    assert "no job began" in log(tmp_path)


def test_the_lease_stops_the_job_with_its_checkpoint_first(tmp_path, provider, start) -> None:
    folder = job(tmp_path)
    (folder / "started").mkdir()
    script = f"trap 'echo 83 > {folder}/exit_code; exit' TERM; while :; do sleep 0.1; done"
    child = subprocess.Popen(["sh", "-c", script])
    (folder / "pid").write_text(f"{child.pid} {child.pid} x x")
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 2)
    until(lambda: provider.deletions)
    assert child.wait(5) == 0
    assert (folder / "exit_code").read_text() == "83\n"


def test_the_hard_stop_works_when_all_else_hangs(tmp_path, provider, start) -> None:
    machine = start(
        SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 3, SONARSTACK_MACHINE_HARD_STOP_SECONDS="0.5"
    )
    until(lambda: "own key" in log(tmp_path))
    os.kill(machine.pid, signal.SIGSTOP)
    until(lambda: provider.deletions)
    assert "hard stop" in log(tmp_path)


def test_a_refused_key_is_said_and_asked_with_again(tmp_path, provider, start) -> None:
    provider.refuse = True
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 2)
    until(lambda: provider.deletions)
    assert "own key is refused" in log(tmp_path)
    assert "HTTP 403" in log(tmp_path)
    assert KEY not in log(tmp_path)


def test_without_a_provider_it_ends_with_the_jobs_code(tmp_path, start) -> None:
    folder = job(tmp_path, exit_code="81\n")
    (folder / "started").mkdir()
    machine = start(RUNPOD_POD_ID=None, SONARSTACK_MACHINE_LINGER_MINUTES=0)
    assert machine.wait(15) == 81
    assert "no lease" in log(tmp_path)


def test_a_signal_stops_the_job_and_leaves_nothing_behind(tmp_path, start) -> None:
    machine = start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    machine.terminate()
    assert machine.wait(20) == 128 + signal.SIGTERM
    assert not subprocess.run(["pgrep", "-g", str(machine.pid)], capture_output=True).stdout


def test_a_restarted_container_takes_the_job_up_again(tmp_path, start) -> None:
    folder = job(
        tmp_path, again=f"mkdir {tmp_path}/job/started; echo resumed > {tmp_path}/resumed", pid="1 1 x x"
    )
    (folder / "started").mkdir()
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: (tmp_path / "resumed").exists())
    assert not (folder / "pid").exists()
    # One that has ended stays so.
    (tmp_path / "resumed").unlink()
    (folder / "exit_code").write_text("0")
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    time.sleep(0.5)
    assert not (tmp_path / "resumed").exists()


@pytest.mark.skipif(missing_programs() is not None, reason=str(missing_programs()))
def test_ssh_by_key_only_and_the_host_key_is_told(tmp_path, start) -> None:
    for name in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start(
        SONARSTACK_MACHINE_KEYS=(tmp_path / "mine.pub").read_text(),
        SONARSTACK_MACHINE_SSH_PORT=port,
        SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600,
    )
    until(lambda: "Server listening" in log(tmp_path))
    told = next(line for line in log(tmp_path).splitlines() if "host key" in line).rpartition("host key ")[2]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {told}\n")

    def ssh(identity: str, *words: str) -> subprocess.CompletedProcess:
        options = [f"UserKnownHostsFile={tmp_path}/known", "StrictHostKeyChecking=yes", "BatchMode=yes",
                   "IdentitiesOnly=yes", f"IdentityFile={tmp_path}/{identity}"]  # fmt: skip
        return subprocess.run(
            [
                "ssh",
                "-F",
                "none",
                *[w for o in options for w in ("-o", o)],
                "-p",
                str(port),
                "127.0.0.1",
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )

    inside = ssh("mine", "env; cat /proc/$PPID/environ")
    assert inside.returncode == 0, inside.stderr
    assert KEY not in inside.stdout, "the provider's key is for this program alone"
    assert "Permission denied" in ssh("other", "true").stderr
