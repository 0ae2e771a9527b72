"""The rented machine's own program in a simulated pod: a real sshd, its host key in the log, and its end by the API."""

import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.runpod.bootstrap import machine_variables, start_command
from tests.infra.runpod.simulator.asking import eventually
from tests.sshd import missing_programs

pytestmark = pytest.mark.skipif(missing_programs() is not None, reason=str(missing_programs()))
LINE = "sonarstack machine: "


def ssh(folder: Path, direct: dict, told: str, *words: str) -> subprocess.CompletedProcess:
    (folder / "known").write_text(f"[{direct['host']}]:{direct['port']} {told}\n")
    options = [f"UserKnownHostsFile={folder}/known", "StrictHostKeyChecking=yes", "BatchMode=yes",
               "IdentitiesOnly=yes", f"IdentityFile={folder}/mine"]  # fmt: skip
    return subprocess.run(
        ["ssh", "-F", "none", *[word for one in options for word in ("-o", one)], "-p", str(direct["port"]),
         f"{direct['username']}@{direct['host']}", *words],
        capture_output=True,
        text=True,
        timeout=20,
    )  # fmt: skip


@pytest.mark.parametrize("image", ["own image", "stock image"])
def test_a_machine_from_its_first_word_to_its_end(runpod, tmp_path, image: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "mine"], check=True)
    volume = runpod.ask("POST", "/network-volumes", {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}).json()
    work = runpod.sim.allowed / "workspace"
    variables = machine_variables(
        lease_until=datetime.now(UTC) + timedelta(hours=1),
        job=f"{work}/stamp/job",
        runs=f"{work}/stamp",
        public_keys=[(tmp_path / "mine.pub").read_text().strip()],
        gpus=1,
        linger_minutes=60,
    )
    made = runpod.pod(
        args="" if image == "own image" else start_command(),
        env=variables,
        ports=["22/tcp"],
        mounts={"network": [{"volumeId": volume["id"], "path": str(work)}]},
    )
    log = runpod.log(
        made, lambda t: all(w in t for w in ("host key", "own key is", "GPUs: ", "Server listening"))
    )
    assert f"{LINE}the pod's own key is accepted by the provider" in log
    assert f"{LINE}GPUs: NVIDIA GeForce RTX 4090" in log
    assert f"{LINE}lease until 2" in log
    told = next(line for line in log.splitlines() if "host key" in line).rpartition("host key ")[2]
    direct = runpod.until(made, "RUNNING")["ssh"]["direct"]
    stays = (
        f"mkdir -p {work}/stamp/job; setsid sleep 4242 </dev/null >/dev/null 2>&1 & env; ls -d {work}/stamp"
    )
    inside = ssh(tmp_path, direct, told, stays)
    assert inside.returncode == 0, inside.stderr
    assert f"{work}/stamp" in inside.stdout
    assert "RUNPOD_API_KEY" not in inside.stdout
    assert subprocess.run(["pgrep", "-f", "^sleep 4242$"], capture_output=True).stdout
    # A job that has ended, and whose run is safe, ends the machine: by the API, with the pod's own key.
    done = ssh(tmp_path, direct, told, f"cd {work}/stamp/job && echo 0 >exit_code && touch released")
    assert done.returncode == 0, done.stderr
    eventually(lambda: runpod.ask("GET", f"/pods/{made['id']}").status_code == 404, timeout_s=30)
    asked = [one for one in runpod.sim.requests() if one.method == "DELETE"]
    assert [(one.by, one.status) for one in asked] == [(f"pod {made['id']}", 204)]
    assert runpod.sim.meter()["running_usd_per_h"] == 0
    time.sleep(0.1)
    assert not subprocess.run(["pgrep", "-f", "^sleep 4242$"], capture_output=True).stdout, (
        "ssh's strays went too"
    )
    assert not work.exists()
    kept = runpod.sim.simulation.settings.folder / "volumes" / volume["id"] / "stamp" / "job" / "exit_code"
    assert kept.read_text() == "0\n"


def test_a_machine_whose_key_is_refused_says_so_and_bills_on(runpod) -> None:
    runpod.sim.faults.arm("key_refused", count=100)
    variables = machine_variables(
        lease_until=datetime.now(UTC) + timedelta(seconds=3),
        job=str(runpod.sim.allowed / "w" / "job"),
        runs=str(runpod.sim.allowed / "w"),
        public_keys=[],
        gpus=0,
    )
    made = runpod.pod(env=variables, args="")
    assert "own key is refused" in runpod.log(made, lambda text: "HTTP 403" in text)
    assert runpod.sim.meter()["running_usd_per_h"] > 0


def test_a_machine_on_a_bad_gpu_says_so(runpod) -> None:
    runpod.sim.faults.arm("bad_gpu")
    variables = machine_variables(
        lease_until=datetime.now(UTC) + timedelta(hours=1),
        job=str(runpod.sim.allowed / "w" / "job"),
        runs=str(runpod.sim.allowed / "w"),
        public_keys=[],
        gpus=1,
    )
    log = runpod.log(runpod.pod(env=variables, args=""), lambda text: "GPUs:" in text)
    assert f"{LINE}GPUs: none (Unable to determine" in log


def test_a_pod_does_not_install_on_this_machine(runpod) -> None:
    made = runpod.pod(args="sh -c 'apt-get install -y openssh-server; echo code $?; sleep 60'")
    assert "installs nothing on this machine" in runpod.log(made, lambda text: "code 100" in text)
