"""Azure's start text followed for real, from first boot to delete: at its own paths and at Azure's own addresses.

The machine's /etc, /opt, /run and /var/lib are empty folders, its network is a loopback of its own with the metadata
address on it; Azurite holds the blobs, by the account's own host name.
"""

import base64
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from infra.azure.places import Places
from infra.azure.sizes import choose_sizes
from infra.azure.start_text import start_text
from infra.specs import Limits, TrainingJob
from tests.conftest import REPOSITORY
from tests.infra.azure import first_boot_there
from tests.infra.azure.azurite import program
from tests.infra.azure.on_machine import DOCKER, INSTALL, NVIDIA
from tests.infra.azure.whom_it_asks import CLIENT, PASSWORD
from tests.infra.vm.test_first_boot import FOLDERS, NAMESPACE

WORD = "PLANTED-WORD"
INGESTION = "logs-a1b2.eastus-1.ingest.monitor.azure.com"
NOTE = 'echo "$(basename "$0") $*" >> "$NOTES/calls"\n'
# What systemd does with our units: read their files, start and stop their programs.
SYSTEMCTL = """
unit() { sed -n 's/^ExecStart=//p' "/etc/systemd/system/$1"; }
case "$*" in
"enable --now "*) exec $(unit "$3") ;;
"start --no-block "*)
    ($(unit "$3") & echo $! > "$NOTES/$3"; wait $!; touch "$NOTES/$3-over") >> "$NOTES/said" 2>&1 < /dev/null & ;;
"stop "*)
    kill -TERM "$(cat "$NOTES/$2")"
    while [ ! -f "$NOTES/$2-over" ]; do sleep 0.05; done ;;
esac
exit 0
"""
PLACES = Places(
    subscription_id="00000000-aaaa-bbbb-cccc-dddddddddddd",
    location="eastus",
    stack="night",
    stamp="sonarstack-night-ab12",
    run_name="night-run",
    job_digest="0123456789abcdef",
    data_digest="fedcba98",
)
REGISTRY = f"{PLACES.registry}.azurecr.io"
NET = [*NAMESPACE, "--net"]
can = subprocess.run([*NET, "sh", "-c", "mount --bind /tmp /mnt"], capture_output=True).returncode == 0
in_namespace = pytest.mark.skipif(not can, reason="this system lets nobody make namespaces here (unshare)")


def text(**changed: Any) -> str:
    job = TrainingJob(limits=Limits(max_hours=2, max_usd_per_h=0.5), data_url="here", notify_url=None)
    rule = f"https://{INGESTION}/dataCollectionRules/dcr-1/streams"
    words: dict[str, Any] = {
        "image": f"{REGISTRY}/images@sha256:abc",
        "lease_until": "2099-01-01T00:00:00Z",
        "secret_id": "https://night-ab12.vault.azure.net/secrets/run",
        "client_id": CLIENT,
        "log_address": f"{rule}/Custom-Sonarstack_CL",
        "gpu_log_address": f"{rule}/Custom-SonarstackGpu_CL",
        **changed,
    }
    return start_text(PLACES, job, choose_sizes(("Standard_NC4as_T4_v3",))[0], **words)


@dataclass(frozen=True)
class Booted:
    """What Azure was asked, and what is left on the machine."""

    told: dict[str, Any]
    folder: Path

    @property
    def calls(self) -> list[str]:
        return (self.folder / "notes" / "calls").read_text().splitlines()

    def note(self, name: str) -> bytes:
        return base64.b64decode(self.told["blobs"][f"{PLACES.notes}/{name}"])


def boot(folder: Path, start: str, **told: str) -> Booted:
    for one in (*FOLDERS, "notes", "bin"):
        (folder / one).mkdir(parents=True)
    programs = {"docker": DOCKER, "nvidia-smi": NVIDIA, "install": INSTALL}
    notes = {"systemctl": SYSTEMCTL, "shutdown": ""}
    for name, body in {
        **programs,
        **{name: f"#!/bin/sh\n{NOTE}{body}" for name, body in notes.items()},
    }.items():
        (folder / "bin" / name).write_text(body)
        (folder / "bin" / name).chmod(0o755)
    (folder / "user-data").write_text(start)
    binds = " && ".join(f'mount --bind "{folder}/{one}" /{one}' for one in FOLDERS)
    words = (str(folder), PLACES.machine_id, PLACES.storage_account, REGISTRY, INGESTION)
    follow = f'{binds} && exec "{sys.executable}" -m {first_boot_there.__name__} {" ".join(words)}'
    done = subprocess.run(
        [*NET, "sh", "-c", follow],
        cwd=REPOSITORY,
        env={
            "PATH": f"{folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "NOTES": str(folder / "notes"),
            "SONARSTACK_AZURITE": str(program()),
            "SONARSTACK_PAUSES": "0.02",
            "SSL_CERT_FILE": str(folder / "azurite.pem"),
            **told,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "said").write_text(done.stdout + done.stderr)
    return Booted(json.loads((folder / "told.json").read_text()), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if program() is None:
        pytest.skip("azurite-blob is not on PATH (npm install azurite), and SONARSTACK_AZURITE names none")
    return tmp_path / "machine"


@in_namespace
def test_from_the_first_boot_to_the_delete(folder: Path) -> None:
    booted = boot(folder, text(), JOB_S="1")
    assert booted.told["code"] == 0, (folder / "said").read_text()
    assert booted.calls[0].startswith("shutdown -h +"), "the switch, before all that can fail"
    outcome = json.loads(booted.note("outcome.json"))
    assert (outcome["machine"], outcome["code"]) == (PLACES.machine, 0)
    assert json.loads(booted.note("started.json"))["machine"] == PLACES.machine
    assert booted.note("job.log") == b"first words\n\xff no text\nlast words\n"
    assert booted.told["deleted"] == [PLACES.machine_id]
    assert booted.told["agreed"] == ["E1"]
    assert {row["Host"] for row in booted.told["rows"]} == {PLACES.machine}
    assert booted.told["forms"][0]["service"] == REGISTRY
    variables = dict(line.split("=", 1) for line in (folder / "notes" / "variables").read_text().splitlines())
    assert variables["SONARSTACK_DATA_URL"] == f"az://data/{PLACES.data}"
    assert variables["SONARSTACK_RUN_URL"] == f"az://runs/{PLACES.run}"
    assert variables["AZURE_STORAGE_ACCOUNT_NAME"] == PLACES.storage_account
    assert variables["SONARSTACK_CLOUD"] == variables["SONARSTACK_LOG_PROVIDER"] == "azure"
    assert variables["SONARSTACK_SECRET_ID"] == "azure:https://night-ab12.vault.azure.net/secrets/run"
    assert "SONARSTACK_NPROC" not in variables
    # Where it lies, and not what it is; whoever is root reads, and nobody else.
    left = [
        path
        for one in FOLDERS
        for path in (folder / one).rglob("*")
        if path.is_file() and path.name != "hosts"
    ]
    assert {
        path.stat().st_mode & 0o077 for path in left if "state" not in path.parts and "lib" not in path.parts
    } == {0}
    everything = b"".join(path.read_bytes() for path in (*left, folder / "user-data", folder / "said"))
    for secret in (PASSWORD, *booted.told["bearers"]):
        assert secret.encode() not in everything


@in_namespace
def test_a_machine_that_is_taken_goes_without_an_outcome(folder: Path) -> None:
    booted = boot(folder, text(), JOB_CODE="83")
    assert json.loads(booted.note(f"interruptions/{PLACES.machine}.json"))["code"] == 83
    assert f"{PLACES.notes}/outcome.json" not in booted.told["blobs"]
    assert booted.told["deleted"] == [PLACES.machine_id]


@in_namespace
@pytest.mark.skipif(
    shutil.which("cloud-init") is None, reason="cloud-init is not on PATH (apt install cloud-init)"
)
def test_cloud_init_itself_follows_the_text(folder: Path) -> None:
    start = text()
    booted = boot(folder, start, SONARSTACK_CLOUD_INIT=str(shutil.which("cloud-init")))
    assert booted.told["code"] == 0, (folder / "said").read_text()
    assert json.loads(booted.note("outcome.json"))["code"] == 0
    assert booted.told["deleted"] == [PLACES.machine_id]
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(folder / "user-data")], capture_output=True, text=True
    )
    assert (done.returncode, "deprecat" in (done.stdout + done.stderr).lower()) == (0, False)


def test_the_text_is_the_same_for_the_same_machine_and_another_for_the_next_try() -> None:
    assert text() == text()
    assert replace(PLACES, attempt=1).machine_id != PLACES.machine_id
    assert len(text().encode()) < 65535 / 2
