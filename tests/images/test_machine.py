"""The rented machine's program: real processes, a real sshd, and a provider on loopback that notes questions."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from infra.hosts.local import LocalHost
from infra.jobs.detached import DetachedSpec, start_detached
from infra.jobs.job import wait_for
from tests.sshd import missing_programs

MACHINE = Path(__file__).resolve().parents[2] / "images" / "cloud" / "machine.py"
KEY = "rp-pods-own-key"
HERE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BARE = "import sys; sys.path[:] = [path for path in sys.path if '-packages' not in path]"
"""Hides this environment's torch, TensorBoard and Jupyter from every Python that a machine starts."""


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

    def run(quicker: tuple[str, str] = ("", ""), **variables: object) -> subprocess.Popen:
        text = MACHINE.read_text()
        for old, new in (("TICK_S = 2.0", "TICK_S = 0.2"), quicker):
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "machine.py").write_text(text)
        port = provider.server.server_address[1]
        (tmp_path / "bare").mkdir(exist_ok=True)
        (tmp_path / "bare" / "sitecustomize.py").write_text(BARE)
        told = {
            "PYTHONPATH": tmp_path / "bare",
            "RUNPOD_POD_ID": "pod1",
            "RUNPOD_API_KEY": KEY,
            "RUNPOD_REST_V2_API_URL": f"http://127.0.0.1:{port}/v2",
            "SONARSTACK_MACHINE_JOB": tmp_path / "job",
            "SONARSTACK_MACHINE_PRIVATE": tmp_path / "private",
            **variables,
        }
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(tmp_path / "machine.py")],
                env={"PATH": HERE, **{k: str(v) for k, v in told.items() if v is not None}},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        # Its services have sessions of their own, and would outlive its group.
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        subprocess.run(["pkill", "-KILL", "-g", str(process.pid)])
        process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def log(tmp_path: Path) -> str:
    return (tmp_path / "log").read_text()


def until(true, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def job(tmp_path: Path, **files: str) -> Path:
    """A job's folder that was begun once."""
    folder = tmp_path / "job"
    (folder / "started").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def pid_file(*pids: int) -> str:
    """As infra/jobs/shell.py writes it."""
    marks = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] for pid in pids]
    return f"{' '.join(map(str, pids))} {' '.join(marks)}\n"


@pytest.fixture
def runs():
    """A process that is a job."""
    processes = []

    def run(*words: str) -> subprocess.Popen:
        processes.append(subprocess.Popen(words))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()


FAST = {"SONARSTACK_MACHINE_LINGER_MINUTES": 0, "SONARSTACK_MACHINE_START_MINUTES": 0.03}


def test_it_ends_the_pod_when_the_job_has_ended_and_keeps_asking(tmp_path, provider, start) -> None:
    folder = job(tmp_path)
    machine = start(SONARSTACK_MACHINE_LINGER_MINUTES=0, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key is accepted" in log(tmp_path))
    time.sleep(1)
    assert not provider.deletions
    (folder / "exit_code").write_text("0\n")
    until(lambda: provider.deletions)
    assert provider.deletions[0] == "/v2/pods/pod1"
    assert all(authorization == f"Bearer {KEY}" for _, _, authorization in provider.asked)
    assert machine.poll() is None, "a container that ends is started again by the provider, and bills on"
    assert "the job has ended with code 0" in log(tmp_path)


def test_it_lingers_for_the_run_and_not_longer_than_that(tmp_path, provider, start) -> None:
    folder = job(tmp_path)
    start(SONARSTACK_MACHINE_LINGER_MINUTES=60, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    (folder / "exit_code").write_text("80\n")
    time.sleep(1)
    assert not provider.deletions
    (folder / "released").touch()
    until(lambda: provider.deletions)
    assert "its run is safe" in log(tmp_path)


def test_it_stays_while_its_run_is_fetched(tmp_path, provider, start) -> None:
    folder = job(tmp_path)
    (folder / "fetching").touch()  # by whoever fetched an earlier one
    start(
        ("FETCHED_S = 180.0", "FETCHED_S = 5.0"),
        SONARSTACK_MACHINE_LINGER_MINUTES=0.02,
        SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600,
    )
    until(lambda: "own key" in log(tmp_path))
    (folder / "exit_code").write_text("0\n")
    ends = time.monotonic() + 4
    while time.monotonic() < ends:
        (folder / "fetching").touch()
        time.sleep(0.2)
    assert not provider.deletions, "it would have ended a second after its job"
    until(lambda: provider.deletions)
    assert time.monotonic() > ends + 3


def test_a_machine_on_which_nothing_begins_ends(tmp_path, provider, start) -> None:
    start(SONARSTACK_MACHINE_START_MINUTES=0.02, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: provider.deletions)
    assert "no job began" in log(tmp_path)


def test_the_lease_stops_the_job_with_its_checkpoint_first(tmp_path, provider, start, runs) -> None:
    folder = job(tmp_path)
    child = runs("sh", "-c", f"trap 'echo 83 > {folder}/exit_code; exit' TERM; while :; do sleep 0.1; done")
    (folder / "pid").write_text(pid_file(child.pid, child.pid))
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 3)
    until(lambda: provider.deletions)
    assert child.wait(5) == 0
    assert (folder / "exit_code").read_text() == "83\n"
    assert "ends in 1 minute: its lease runs out" in log(tmp_path)


def test_the_end_is_told_five_minutes_before_and_once(tmp_path, start) -> None:
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 303)
    until(lambda: "own key" in log(tmp_path))
    assert "ends in" not in log(tmp_path)
    until(lambda: "ends in 5 minutes: " in log(tmp_path))
    time.sleep(1)
    assert log(tmp_path).count("ends in") == 1


def test_a_number_that_returned_is_not_taken_for_the_job(tmp_path, provider, start, runs) -> None:
    """The pid file lies on a volume; on another machine its number is somebody else's."""
    stranger = runs("sleep", "60")
    job(tmp_path, pid=f"{stranger.pid} {stranger.pid} 1 1\n", machine="pod1\n")
    start(**FAST)
    until(lambda: provider.deletions)
    assert "the job is gone and none began" in log(tmp_path)
    assert stranger.poll() is None


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
    until(lambda: "HTTP 403" in log(tmp_path))
    assert provider.deletions
    assert "own key is refused" in log(tmp_path)
    assert KEY not in log(tmp_path)


def test_without_a_provider_it_ends_with_the_jobs_code(tmp_path, start) -> None:
    folder = job(tmp_path)
    machine = start(RUNPOD_POD_ID=None, SONARSTACK_MACHINE_LINGER_MINUTES=0)
    until(lambda: "no lease" in log(tmp_path))
    (folder / "exit_code").write_text("81\n")
    assert machine.wait(15) == 81
    assert (folder / "machine").read_text().strip() == socket.gethostname()


def test_a_signal_stops_the_job_and_leaves_nothing_behind(tmp_path, start) -> None:
    machine = start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    machine.terminate()
    assert machine.wait(20) == 128 + signal.SIGTERM
    assert not subprocess.run(["pgrep", "-g", str(machine.pid)], capture_output=True).stdout


def test_a_new_pod_on_an_old_volume_waits_for_a_job_of_its_own(tmp_path, provider, start, runs) -> None:
    folder = job(tmp_path, exit_code="80\n", machine="pod0\n", again="exit 9", pid="1 1 x x\n")
    (folder / "released").touch()
    start(SONARSTACK_MACHINE_LINGER_MINUTES=0, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    time.sleep(1)
    assert not provider.deletions
    assert "taken up again" not in log(tmp_path)
    # Its owner starts one there, which ends.
    shutil.rmtree(folder)
    child = runs("sleep", "60")
    job(tmp_path, pid=pid_file(child.pid, child.pid))
    until(lambda: (folder / "machine").exists())
    assert (folder / "machine").read_text() == "pod1\n"
    (folder / "exit_code").write_text("80\n")
    until(lambda: provider.deletions)
    assert "the job has ended with code 80" in log(tmp_path)


def test_a_new_pod_does_not_take_up_the_job_of_an_earlier_one(tmp_path, provider, start) -> None:
    folder = job(tmp_path, machine="pod0\n", again=f"echo resumed > {tmp_path}/resumed", pid="1 1 x x\n")
    start(**FAST)
    until(lambda: provider.deletions)
    assert "no job began within" in log(tmp_path)
    assert not (tmp_path / "resumed").exists()
    assert (folder / "started").exists()


def test_a_pod_that_was_restarted_after_its_jobs_end_ends(tmp_path, provider, start) -> None:
    job(tmp_path, exit_code="80\n", machine="pod1\n", again=f"echo resumed > {tmp_path}/resumed")
    start(SONARSTACK_MACHINE_LINGER_MINUTES=0.05, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: provider.deletions)
    assert "the job has ended with code 80" in log(tmp_path)
    assert not (tmp_path / "resumed").exists()


def test_a_restarted_container_takes_its_job_up_again(tmp_path, provider, start, runs) -> None:
    """With the real job: it runs, all of it dies with the container, and it runs anew."""
    script = f"env >{tmp_path}/env; echo run >>{tmp_path}/ran; exec sleep 60"
    spec = DetachedSpec(
        folder=str(tmp_path / "job"), argv=("sh", "-c", script), cwd=str(tmp_path), stamp="s",
        variables={"SONARSTACK_RECIPE": "smoke"},
    )  # fmt: skip
    detached = start_detached(LocalHost(), spec)
    try:
        first = start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
        until(lambda: (tmp_path / "job" / "machine").exists())
        first.kill()
        first.wait()
        subprocess.run(["pkill", "-KILL", "-g", str(first.pid)])
        for pid in (tmp_path / "job" / "pid").read_text().split()[:2]:
            os.kill(int(pid), signal.SIGKILL)
        assert wait_for(detached, timeout_s=20).state == "lost"
        start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
        until(lambda: (tmp_path / "ran").read_text() == "run\nrun\n")
        until(lambda: detached.status().state == "running")
        assert "the job is taken up again" in log(tmp_path)
        assert KEY not in (tmp_path / "env").read_text()
        assert "SONARSTACK_MACHINE" not in (tmp_path / "env").read_text()
        assert "SONARSTACK_RECIPE=smoke" in (tmp_path / "env").read_text()
        time.sleep(1)
        assert not provider.deletions
    finally:
        detached.stop(1)


NVIDIA_SMI = """#!/bin/sh
case "$*" in "--query-gpu=name --format=csv,noheader") ;; *) exit 64 ;; esac
"""


@pytest.mark.parametrize(
    ("gpus", "smi", "torch", "told"),
    [
        (1, "echo NVIDIA GeForce RTX 4090", None,
         ["GPUs: NVIDIA GeForce RTX 4090", "GPU check: not tried (no torch)"]),
        (2, "echo NVIDIA L4; echo NVIDIA L4", "ok", ["GPUs: NVIDIA L4; NVIDIA L4", "GPU check: ok"]),
        (2, "echo NVIDIA L4; echo NVIDIA L4", "sees 1", ["GPU check: failed (torch 9 sees 1 of 2 GPUs)"]),
        (2, "echo NVIDIA L4", "ok", ["GPUs: NVIDIA L4", "GPU check: failed (1 of 2 GPUs answer)"]),
        (1, "echo NVIDIA L4", "broken", ["GPU check: failed (RuntimeError: CUDA error: no kernel image)"]),
        (1, "echo No devices were found", None, ["GPUs: none (No devices were found)"]),
        (1, "echo Failed to initialize NVML: Driver/library version mismatch; exit 18", None,
         ["GPUs: none (Failed to initialize NVML: Driver/library version mismatch)"]),
        (1, None, None, ["GPUs: none (nvidia-smi is not installed)", "GPU check: failed (0 of 1 GPUs answer)"]),
        (0, "echo NVIDIA L4", None, ["GPUs: NVIDIA L4"]),
    ],
)  # fmt: skip
def test_gpus_are_told_and_tried(tmp_path, monkeypatch, capsys, gpus, smi, torch, told) -> None:
    (tmp_path / "sitecustomize.py").write_text(BARE)
    if smi is not None:
        (tmp_path / "nvidia-smi").write_text(NVIDIA_SMI + smi + "\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    if torch is not None:
        (tmp_path / "torch.py").write_text(STAND_IN_TORCH.replace("WORKS", torch))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program = load()
    program.tell_gpus(program.Machine({"SONARSTACK_MACHINE_GPUS": str(gpus)}))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in told if f"sonarstack machine: {line}" not in lines] == []
    assert len(lines) == (2 if gpus else 1)


def load():
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("machine", MACHINE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STAND_IN_TORCH = """
__version__ = "9"
class cuda:
    device_count = staticmethod(lambda: 1 if "WORKS" == "sees 1" else 2)
class zeros:
    def __init__(self, size, device):
        if "WORKS" == "broken":
            raise RuntimeError("CUDA error: no kernel image\\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1")
    def add_(self, other): return self
    def item(self): return 1.0
"""


def test_a_machine_without_gpus_says_nothing_of_them(tmp_path, start) -> None:
    assert shutil.which("nvidia-smi", path=HERE) is None, "this test is for machines without"
    start(SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    time.sleep(1)
    assert "GPU" not in log(tmp_path)


def test_a_driver_that_hangs_delays_nothing_and_is_told_in_the_end(tmp_path, start) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    machine = start(
        ("GPU_PROBE_S, INSTALL_S = 30.0,", "GPU_PROBE_S, INSTALL_S = 4.0,"),
        PATH=f"{tmp_path}:{HERE}",
        SONARSTACK_MACHINE_GPUS=1,
    )
    until(lambda: "no SSH: no public key was given" in log(tmp_path))
    assert "GPUs" not in log(tmp_path)
    until(lambda: "GPUs: none (nvidia-smi gave no answer within 4 s)" in log(tmp_path))
    machine.terminate()
    assert machine.wait(10) == 128 + signal.SIGTERM


JUPYTER = """
import json, os, sys
from pathlib import Path
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}), file=Path("RECORD").open("w"), flush=True)
import time; time.sleep(60)
"""


@pytest.mark.parametrize(("expose", "address"), [(None, "127.0.0.1"), ("1", "0.0.0.0")])
def test_jupyter_is_behind_a_token_that_lies_in_one_file(tmp_path, start, expose, address) -> None:
    package = tmp_path / "later" / "jupyterlab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(JUPYTER.replace("RECORD", f"{tmp_path}/record"))
    start(
        PYTHONPATH=f"{tmp_path}/bare:{tmp_path}/later", SONARSTACK_MACHINE_EXPOSE=expose,
        SONARSTACK_MACHINE_WORKSPACE=tmp_path, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600,
        JUPYTER_TOKEN="of the image",
    )  # fmt: skip
    until(lambda: (tmp_path / "record").exists() and (tmp_path / "record").read_text())
    told = json.loads((tmp_path / "record").read_text())
    assert f"--ip={address}" in told["argv"]
    assert f"--ServerApp.root_dir={tmp_path}" in told["argv"]
    file = tmp_path / "private" / "jupyter_token"
    token = file.read_text()
    assert told["env"]["JUPYTER_TOKEN_FILE"] == str(file)
    assert told["env"]["JUPYTER_RUNTIME_DIR"].startswith(f"{tmp_path}/private")
    assert len(token) == 48
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert oct(file.parent.stat().st_mode)[-3:] == "700"
    assert token not in (tmp_path / "record").read_text()
    assert token not in log(tmp_path)
    assert "JUPYTER_TOKEN" not in told["env"]
    assert KEY not in (tmp_path / "record").read_text()


def test_a_board_whose_interpreter_comes_later_is_found(tmp_path, start) -> None:
    python = tmp_path / "venv-python"
    often = ("LOOK_AGAIN_S = 60.0", "LOOK_AGAIN_S = 1.0")
    start(often, SONARSTACK_MACHINE_PYTHON=python, SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600)
    until(lambda: "own key" in log(tmp_path))
    time.sleep(1)
    script = f'case "$*" in *find_spec*) exit 0 ;; *) echo "$*" >>{tmp_path}/ran; exec sleep 60 ;; esac'
    (tmp_path / "python.part").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "python.part").chmod(0o755)
    (tmp_path / "python.part").rename(python)
    until(lambda: (tmp_path / "ran").exists() and (tmp_path / "ran").read_text().count("\n") == 2)
    assert "-m tensorboard.main" in (tmp_path / "ran").read_text()
    assert "-m jupyterlab" in (tmp_path / "ran").read_text()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may install")
@pytest.mark.parametrize("works", [True, False])
def test_what_a_stock_image_lacks_is_installed(tmp_path, start, works) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "ssh-keygen"):
        (tools / name).symlink_to(shutil.which(name) or "")
    ends = "" if works else "echo E: no network >&2; exit 100"
    (tools / "apt-get").write_text(f'#!/bin/sh\necho "$* $DEBIAN_FRONTEND" >>{tmp_path}/asked\n{ends}\n')
    (tools / "apt-get").chmod(0o755)
    machine = start(
        PATH=tools, SONARSTACK_MACHINE_KEYS="ssh-ed25519 AAAA", SONARSTACK_MACHINE_SSH_PORT=1,
        SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600,
    )  # fmt: skip
    missing = "rsync" if Path("/usr/sbin/sshd").exists() else "openssh-server and rsync"
    end = f"{missing} installed" if works else f"{missing} cannot be installed (code 100): E: no network"
    until(lambda: f"{end}\n" in log(tmp_path))
    assert f"{missing} missing; apt-get brings them" in log(tmp_path)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0].endswith(" update noninteractive")
    assert not works or asked[1].endswith(
        f" install --no-install-recommends {missing.replace(' and', '')} noninteractive"
    )
    assert machine.poll() is None


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
        SONARSTACK_MACHINE_SSH_ADDRESS="127.0.0.1",
        SONARSTACK_MACHINE_LEASE_UNTIL=time.time() + 600,
    )
    until(lambda: "Server listening" in log(tmp_path))
    assert f"Server listening on 127.0.0.1 port {port}" in log(tmp_path)
    assert log(tmp_path).count("Server listening") == 1
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
