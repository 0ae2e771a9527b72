"""up, down, ssh, logs and pull for a machine that is rented, with a stand-in for the engine and a simulated service."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra import machines, schedule
from infra.credentials import keep_credentials
from infra.errors import HostGoneError
from infra.hosts.keys import ensure_key, key_path
from infra.hosts.local import LocalHost
from infra.jobs import detached
from infra.jobs.job import JobStatus, ended
from infra.journal import Journal
from infra.runpod.client import RunpodClient
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.simulator.run import Simulator, running
from infra.runs import open_home
from infra.runs.home import HomeReceipt
from stacks import live as live_module
from stacks.live import LiveStack
from stacks.receipts import stamp_of
from stacks.verbs.ssh import free_port, listening
from tests.infra.runpod.things import lease
from tests.sshd import Server, sshd
from tests.stacks.command import Done, stacks
from tests.stacks.test_watch import Job

__all__ = ["sshd"]
MARK = stamp_of("runpod")
PROJECT = Path(__file__).resolve().parents[2]
PULUMI = """#!/bin/sh
echo "$*" >>"{folder}/calls"
case "$1 $2" in
"stack output") [ -f "{folder}/outputs.json" ] || {{ echo "error: no stack named x found" >&2; exit 1; }}
    cat "{folder}/outputs.json" ;;
"stack select") ;;
*) echo "engine: $1"; [ -f "{folder}/then" ] && . "{folder}/then"; exit $(cat "{folder}/code" 2>/dev/null || echo 0) ;;
esac
"""


class Desk:
    """This user's machine: a stand-in engine, a state of its own, a simulated account."""

    def __init__(self, folder: Path, sim: Simulator, monkeypatch) -> None:
        self.folder, self.sim = folder / "desk", sim
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        (programs / "pulumi").write_text(PULUMI.format(folder=self.folder))
        (programs / "pulumi").chmod(0o755)
        told = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PULUMI_CONFIG_PASSPHRASE": "x",
            **sim.variables(),
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)

    def outputs(self, **values: object) -> None:
        (self.folder / "outputs.json").write_text(json.dumps(values))

    def fails(self, code: int = 255) -> None:
        (self.folder / "code").write_text(str(code))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.is_file() else []

    def __call__(self, *words: str) -> Done:
        return stacks(*words)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    with running(tmp_path / "runpod", grace_s=0.5) as sim:
        yield Desk(tmp_path, sim, monkeypatch)


UP = ("up", "runpod", "--yes", "--set", "dataUrl=app/config/environments")


def rent(desk: Desk, hours: float = 2.0, address: str = "") -> str:
    """A pod of the stack, and its lease; with an address it was ready, and a state knew of it."""
    with RunpodClient() as client:
        body = {
            "name": f"{MARK}-d1",
            "image": "x/y:1",
            "gpu": {"id": "NVIDIA GeForce RTX 4090"},
            "args": "sleep 99",
            "env": {KEYS_VARIABLE: ensure_key(MARK)},
        }
        pod = client.create_pod(body)
    now = datetime.now(UTC)
    Journal().write(
        lease(
            account=desk.sim.address, id=pod.id, name=pod.name, stamp=MARK, rented_at=now,
            lease_until=now + timedelta(hours=hours), address=address,
        )
    )  # fmt: skip
    return pod.id


# up


def test_up_says_the_worst_case_before_the_engine_and_price_deadline_and_ways_in_after(desk) -> None:
    desk.outputs(
        pod={"name": "p", "id": "i", "gpu": "NVIDIA GeForce RTX 4090", "dataCenter": "EU-RO-1"},
        priceUsdPerH=0.44, leaseUntil="2026-11-22T18:00:00+00:00", podStatus="RUNNING", simulated=True,
    )  # fmt: skip
    done = desk(*UP, "--gpu-type", "RTX 4090", "--gpu-type", "A40", "--bid-price", "0.5")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("worst case: $0.5")
    assert "SIMULATED pod p: NVIDIA GeForce RTX 4090 in EU-RO-1, $0.44 an hour" in lines
    assert "deadline: 2026-11-22 18:00 UTC; then it ends, whatever it does" in lines
    assert "TensorBoard and Jupyter: python -m stacks ssh runpod --forward" in lines
    assert any("reap --install" in line for line in lines)
    up = next(call for call in desk.calls if call.startswith("up "))
    assert '--config sonarstack:gpus=["RTX 4090", "A40"]' in up
    assert "--config sonarstack:maxUsdPerH=0.5" in up


@pytest.mark.parametrize(
    ("kept", "guarded"), [({"AWS_PROFILE": "survey"}, False), ({"RUNPOD_API_KEY": "k"}, True)]
)
def test_a_timer_of_another_cloud_guards_no_pod(desk, monkeypatch, kept, guarded) -> None:
    monkeypatch.setattr(schedule, "installed", lambda: ["cron"])
    keep_credentials(kept)
    desk.outputs(
        pod={"name": "p", "id": "i", "gpu": "NVIDIA GeForce RTX 4090"},
        priceUsdPerH=0.44, leaseUntil="2026-11-22T18:00:00+00:00", podStatus="RUNNING", simulated=True,
    )  # fmt: skip
    done = desk(*UP)
    assert done.returncode == 0, done.stderr
    assert ("nothing ends it from outside yet" in done.stdout) is not guarded


def test_up_of_a_job_that_has_ended_says_that_nothing_was_rented(desk) -> None:
    desk.outputs(pod={"name": "p"}, podStatus="ENDED", leaseUntil="2026-11-22T18:00:00+00:00")
    assert "the pod has ended as planned; nothing was rented" in desk(*UP).stdout


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"RUNPOD_API_KEY": None}, "Runpod needs RUNPOD_API_KEY"),
        ({"RUNPOD_API_KEY": "rpa_wrong"}, "set RUNPOD_API_KEY to a key of the console that is still valid"),
        ({"PATH": "bin"}, "ssh, ssh-keygen, rsync not found on this machine"),
    ],
)
def test_up_refuses_in_one_line_before_the_engine_starts(desk, missing, words, monkeypatch) -> None:
    for name, value in missing.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, str(desk.folder / value) if name == "PATH" else value)
    done = desk(*UP)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not any(call.startswith(("up", "stack select")) for call in desk.calls)


def test_up_refuses_missing_data_and_gpus_of_targets_that_rent_none(desk) -> None:
    for target in ("runpod", "local"):
        done = desk("up", target, "--yes", "--set", "dataUrl=/nowhere")
        assert (done.returncode, "is no folder here" in done.stderr) == (2, True)
    done = desk("up", "local", "--gpu-type", "A40")
    assert (done.returncode, "sonarstack:gpus is unknown" in done.stderr) == (2, True)
    assert desk.calls == []


def test_down_of_what_was_never_up_says_what_to_do(desk) -> None:
    desk.fails(255)
    done = desk("down", "local", "--yes")
    assert done.returncode == 255
    assert done.stdout.endswith(
        "stack local was never up from this folder, so nothing is here to end; "
        "to begin one: python -m stacks up local\n"
    )
    desk.outputs(home="x")
    assert "never up" not in desk("down", "local", "--yes").stdout


def test_up_that_failed_says_what_bills_now(desk) -> None:
    pod = rent(desk)
    desk.fails(255)
    done = desk(*UP)
    assert done.returncode == 255
    assert "up failed, and this bills now:" in done.stdout
    assert f"({pod}): $0.44 an hour, until" in done.stdout


def test_up_warns_of_what_has_outlived_its_lease(desk) -> None:
    rent(desk, hours=-1.0)
    desk.outputs()
    assert "WARNING: 1 of this project bill beyond their lease" in desk(*UP).stdout


# down


def test_down_ends_with_the_receipt_kept_twice_and_the_key_forgotten(desk) -> None:
    pod = rent(desk)
    folder = desk.folder / "runs" / "runpod"
    folder.mkdir(parents=True)
    (folder / "run.json").touch()
    desk.outputs(home=str(folder))
    ends = f"from infra.runpod.account import open_account as o\nwith o() as r: r.give_back('{MARK}-d1', 'destroyed')"
    (desk.folder / "then").write_text(f'{sys.executable} -c "{ends}"\n')
    done = desk("down", "runpod", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"pod {MARK}-d1 ({pod})" in done.stdout
    assert "forecast: at most $5.05, $0.00 by our clock; Runpod's bill:" in done.stdout
    assert f"stack runpod is down; its run is in {folder}" in done.stdout
    assert "SIMULATED nothing of stack runpod is left that bills" in done.stdout
    told = json.loads((desk.folder / "runs/runpod.receipt.json").read_text())
    assert (told["clean"], [one["id"] for one in told["ended"]]) == (True, [pod])
    assert len(list((desk.folder / "state/sonarstack/receipts").iterdir())) == 1
    assert not key_path(MARK).exists()


def test_down_whose_engine_lied_is_no_success(desk) -> None:
    ensure_key(MARK)
    pod = rent(desk, address="ssh://root@203.0.113.7:22")
    desk.outputs(home="/nowhere/home")
    done = desk("down", "runpod", "--yes")
    assert done.returncode == 1
    assert "SIMULATED STILL BILLS:" in done.stdout
    assert "its run is in" not in done.stdout
    assert pod in done.stdout
    assert "nothing of stack" not in done.stdout
    assert key_path(MARK).exists()


def test_down_that_failed_says_what_bills_and_until_when(desk) -> None:
    rent(desk)
    desk.fails(1)
    done = desk("down", "runpod", "--yes")
    assert done.returncode == 1
    assert "down failed, and this bills now:" in done.stdout
    assert "until" in done.stdout
    desk.sim.stop_all()
    assert "nothing of stack runpod bills at its provider" in desk("down", "runpod", "--yes").stdout
    desk.sim.faults.arm(kind="status", status=401, count=9)
    assert "WARNING: what still bills could not be asked" in desk("down", "runpod", "--yes").stdout


def test_down_for_programs_is_one_document(desk) -> None:
    desk.outputs(home="/nowhere/home")
    told = json.loads(desk("down", "runpod", "--yes", "--json").stdout)
    assert (told["down"], told["receipt"]["clean"]) == (True, True)
    assert "add --yes" in desk("down", "runpod", "--json").stderr


# ssh


@pytest.fixture
def far(desk, sshd: Server, tmp_path) -> Server:
    """The pod's sshd, by the journal."""
    ensure_key(MARK)
    for half in ("", ".pub"):
        shutil.copyfile(f"{sshd.identity}{half}", f"{key_path(MARK)}{half}")
    now = datetime.now(UTC)
    Journal().write(
        lease(
            account=desk.sim.address, name=f"{MARK}-d1", stamp=MARK, rented_at=now,
            lease_until=now + timedelta(hours=1), address=sshd.address, host_key=sshd.host_key,
        )
    )  # fmt: skip
    machine = {"pod": f"{MARK}-d1", "identity": MARK}
    where = {"kind": "pod", "folder": str(tmp_path / "job"), "host": machine}
    desk.outputs(run={"host": machine, "path": "/x"}, where=where, home="/h")
    return sshd


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stacks", "ssh", "runpod", *words],
        cwd=PROJECT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_command_runs_there_and_its_code_comes_back(far) -> None:
    done = run("--", "cd / && pwd; exit 7")
    assert (done.stdout, done.returncode) == ("/\n", 7), done.stderr
    assert run("--", "printf", "%s|", "a b", "c'd").stdout == "a b|c'd|"


def test_print_only_prints_what_can_be_run(far, desk) -> None:
    printed = desk("ssh", "runpod", "--print").stdout.strip()
    words = shlex.split(printed)
    assert {"StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "GlobalKnownHostsFile=/dev/null"} <= set(words)
    done = subprocess.run([*words, "echo", "in"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout == "in\n"


def test_another_host_key_is_refused(far, desk) -> None:
    journal = Journal()
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
    journal.change(journal.newest(desk.sim.address, f"{MARK}-d1"), host_key=other)
    done = run("--", "true")
    assert done.returncode == 255
    assert "host key" in done.stderr.lower()


def test_a_stack_of_this_machine_has_nothing_to_reach(desk) -> None:
    desk.outputs(run={"path": "/x"}, where={"kind": "process", "folder": "/x"}, home="/h")
    done = desk("ssh", "local")
    assert done.stderr == "error: stack local runs on this machine; there is nothing to reach by SSH\n"
    assert desk("ssh", "local", "--forward", "--", "ls").returncode == 2


@contextmanager
def board() -> Iterator[int]:
    """A web page on loopback."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a board")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


FORWARDING = """
import sys
from stacks.verbs import ssh
from stacks.__main__ import main
ssh.TENSORBOARD, ssh.TOKEN = int(sys.argv.pop(1)), sys.argv.pop(1)
main()
"""


def test_the_boards_come_here_with_their_token(far, tmp_path) -> None:
    (tmp_path / "token").write_text("planted-token\n")
    with board() as port:
        process = subprocess.Popen(
            [sys.executable, "-c", FORWARDING, str(port), str(tmp_path / "token"), "ssh", "runpod", "--forward"],
            cwd=PROJECT, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            told = [process.stdout.readline() for _ in range(3)]
            address = told[0].split()[1]
            assert address != f"http://127.0.0.1:{port}"  # taken by the board itself
            deadline = time.monotonic() + 20
            while True:
                try:
                    with urllib.request.urlopen(address, timeout=5) as answer:
                        assert answer.read() == b"a board"
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            process.stdout.close()
    assert told[0].startswith("TensorBoard: ")
    assert "does not answer" not in told[0]
    assert "/lab?token=planted-token" in told[1]


def test_ports_by_the_kernels_table() -> None:
    table = (
        "  sl  local_address rem_address   st\n"
        "   0: 0100007F:1776 00000000:0000 0A 0\n"
        "   1: 0100007F:22B8 0100007F:1 01 0\n"
    )
    assert listening(table) == {6006}
    assert listening("") == set()
    port = free_port(0)
    assert free_port(port) == port


# logs and pull of a pod that is gone


@pytest.fixture
def gone(desk, tmp_path, monkeypatch):
    def host(_: object) -> LocalHost:
        raise HostGoneError("pod p ended: its lease is over")

    monkeypatch.setattr(live_module, "open_machine", host)

    def make(*, volume: bool = True, log: str = "") -> LiveStack:
        where = {"kind": "pod", "folder": str(tmp_path / "job"), "host": {}}
        machine = {"pod": "p", **({"remains": {"dataCenter": "EU-RO-1"}} if volume else {})}
        made = LiveStack(
            stack="runpod", job=Job(JobStatus(state="lost", reason="gone")), machine=machine, run_path="/run",
            outputs={"home": str(tmp_path / "home"), "where": where, "log": log, "run": {"seal": "mark"}},
        )  # fmt: skip
        monkeypatch.setattr(live_module, "open_stack", lambda _: made)
        return made

    return make


def test_logs_of_a_pod_that_is_gone_are_what_was_seen_last(gone, desk) -> None:
    gone(log="one\ntwo")
    done = desk("logs", "runpod", "--lines", "1")
    assert done.stdout == "two\n"
    assert "pod p is gone; these are the lines that the stack saw last" in done.stderr
    gone()
    assert (
        "its log cannot be read any more; its run: python -m stacks pull runpod"
        in desk("logs", "runpod").stderr
    )


def test_pull_reads_the_volume_and_says_its_cost_first(gone, desk, monkeypatch) -> None:
    order: list[str] = []

    @contextmanager
    def remains(where: object) -> Iterator[LocalHost]:
        order.append("rented")
        yield LocalHost()

    def bring(host, path, to, *, seal, job, over, crashed) -> HomeReceipt:
        assert (seal, over, crashed) == ("mark", True, False)
        assert job.endswith("/job"), "its machine is told, and stays"
        return HomeReceipt(home=str(to), files=1, bytes=1, began=True, complete=True)

    monkeypatch.setattr(machines, "open_remains", remains)
    monkeypatch.setattr(detached.DetachedJob, "status", lambda _: ended(80))
    monkeypatch.setattr(open_home, "bring_home_open", bring)
    gone()
    done = desk("pull", "runpod")
    assert done.returncode == 0, done.stderr
    assert order == ["rented"]
    assert "a CPU pod reads its volume: at most $0.10, 30 minutes, ended after it" in done.stderr
    assert "run in" in done.stdout


def test_pull_without_a_volume_says_that_nothing_is_left_and_rents_nothing(gone, desk) -> None:
    gone(volume=False)
    done = desk("pull", "runpod")
    assert done.returncode == 1
    assert "it had no network volume" in done.stderr
    assert "a CPU pod" not in done.stderr
    assert not any(one.method == "POST" for one in desk.sim.requests())
