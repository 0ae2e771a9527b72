"""A machine on Azure as far as its own programs see it: its files, and the programs on its PATH."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.azure.orders import CALLS, COLLECT, SETTINGS, HostOrders, host_files
from infra.vm.cloud_init import FOLDER
from infra.vm.orders import Orders
from tests.infra.azure.azurite import Azurite
from tests.infra.azure.whom_it_asks import CLIENT, MACHINE_ID, STREAM, Azure, azure

NOTES = "night/host/0123abcd"
NVIDIA = """#!/bin/sh
echo "nvidia-smi $*" >> "$NOTES/calls"
[ -f "$NOTES/no-gpu" ] && exit 9
printf '0, 97, 14210, 66.31, 71\\n1, 3, 11, [N/A], 35\\n'
"""
DOCKER = """#!/bin/sh
echo "docker $*" >> "$NOTES/calls"
case $1 in
login) cat > "$NOTES/password"; env > "$NOTES/login-env"; exit ${LOGIN_CODE:-0} ;;
pull) exit ${PULL_CODE:-0} ;;
inspect)
    [ -f "$NOTES/container" ] || exit 1
    read -r id pid < "$NOTES/container"
    if [ -f "$NOTES/ended-$id" ]; then echo "$id false"; else echo "$id true"; fi ;;
run)
    id="c$(ls "$NOTES"/log-* 2>/dev/null | wc -l)"
    trap 'echo "saves its checkpoint" >> "$NOTES/log-$id"; touch "$NOTES/ended-$id"; exit 83' TERM
    printf 'first words\\n\\377 no text\\n' > "$NOTES/log-$id"
    echo "$id $$" > "$NOTES/container"
    cp "$(echo "$*" | sed 's/.*--env-file \\([^ ]*\\) .*/\\1/')" "$NOTES/variables"
    end=$(( $(date +%s) + ${JOB_S:-0} ))
    while [ "$(date +%s)" -lt $end ]; do sleep 0.05; done
    echo "last words" >> "$NOTES/log-$id"
    touch "$NOTES/ended-$id"
    exit ${JOB_CODE:-0} ;;
stop) read -r id pid < "$NOTES/container"; kill -TERM "$pid" ;;
logs)
    read -r id pid < "$NOTES/container"
    case "$*" in
    *--follow*)
        # Until the container is over, and then what it has still said.
        if [ ! -f "$NOTES/ended-$id" ]; then
            tail -c +1 -f -s 0.02 "$NOTES/log-$id" & tail=$!
            trap 'kill $tail; exit 0' TERM
            while [ ! -f "$NOTES/ended-$id" ]; do sleep 0.05; done
            sleep 0.1; kill $tail
        else cat "$NOTES/log-$id"; fi ;;
    *) cat "$NOTES/log-$id" ;;
    esac ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >> "$NOTES/calls"
case "$*" in
"start --no-block sonarstack-collect.service")
    "$PYTHON" "$PROGRAMS/machine_collect.py" >> "$NOTES/collector-said" 2>&1 < /dev/null &
    echo $! > "$NOTES/collector" ;;
"stop sonarstack-collect.service")
    pid=$(cat "$NOTES/collector" 2>/dev/null) || exit 0
    kill -TERM "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done ;;
esac
exit 0
"""
INSTALL = """#!/bin/sh
for last; do :; done
mkdir -p "$last"
"""


class Bench:
    """The machine's files and programs in a folder, whose commands are run as they stand in the orders."""

    def __init__(self, folder: Path, azure: Azure, azurite: Azurite) -> None:
        self.folder, self.azure, self.azurite = folder, azure, azurite
        self.programs = folder / "opt"
        for name, text in (
            ("docker", DOCKER), ("nvidia-smi", NVIDIA), ("systemctl", SYSTEMCTL), ("install", INSTALL),
        ):  # fmt: skip
            self.put(folder / "bin" / name, text, 0o755)
        self.host = HostOrders(
            machine_id=MACHINE_ID,
            account=azurite.account,
            client_id=CLIENT,
            notes=NOTES,
            gpu_log_address=f"{azure.address}{STREAM}",
            image="stamp.azurecr.io/images@sha256:abc",
            arguments=("train", "--run", "/runs/night"),
            variables={"SONARSTACK_RECIPE": "smoke"},
            lease_until_s=0.0,
            metadata=azure.address,
            arm=azure.address,
            blobs=azurite.address,
        )
        for path, text in host_files(self.host).items():
            if path == SETTINGS:
                settings = json.loads(text)
                settings["exchange"] = f"{azure.address}/oauth2/exchange"
                self.put(folder / "azure.json", json.dumps(settings | {"folder": str(folder / "state")}))
            elif path.startswith(FOLDER):
                self.put(self.programs / Path(path).name, text)
        self.processes: list[subprocess.Popen[str]] = []

    @staticmethod
    def put(path: Path, text: str, mode: int = 0o600) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def variables(self, **more: str) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "NOTES": str(self.folder),
            "PYTHON": sys.executable,
            "PROGRAMS": str(self.programs),
            "SONARSTACK_AZURE_CALLS": str(self.folder / "azure.json"),
            "SONARSTACK_PAUSES": "0.02",
            "SSL_CERT_FILE": str(self.azurite.certificate),
            **more,
        }

    def orders(self, orders: Orders) -> dict[str, Any]:
        """As machine.json has them, with this folder's paths for the machine's."""
        text = json.dumps(orders.as_dict())
        for path, here in {
            FOLDER: str(self.programs), "/var/lib/sonarstack": str(self.folder / "state"),
            "/usr/bin/python3": sys.executable,
        }.items():  # fmt: skip
            text = text.replace(path, here)
        return dict(json.loads(text))

    def call(self, *words: str, data: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
        """One command."""
        return subprocess.run(
            [sys.executable, str(self.programs / CALLS), *words],
            env=self.variables(**more),
            input=data,
            capture_output=True,
            timeout=60,
        )

    def start(self, program: Path, **more: str) -> subprocess.Popen[str]:
        with (self.folder / "said").open("a") as said:
            process = subprocess.Popen(
                [sys.executable, str(program)], env=self.variables(**more), stdout=said, stderr=subprocess.STDOUT,
                text=True, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def collect(self, **more: str) -> subprocess.Popen[str]:
        return self.start(self.programs / COLLECT, **more)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def blobs(self) -> dict[str, bytes]:
        """Of the notes, by name."""
        return {
            name.removeprefix(f"{NOTES}/"): text
            for name, text in self.azurite.blobs("runs").items()
            if name.startswith(f"{NOTES}/")
        }


@pytest.fixture
def bench(tmp_path: Path, azure: Azure, azurite_tls: Azurite) -> Iterator[Bench]:
    bench = Bench(tmp_path, azure, azurite_tls)
    yield bench
    for process in bench.processes:
        # Guard, collector and fake container are in the same group.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.wait()


@pytest.fixture
def programs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, Any]]:
    """The collector's module as the machine imports it, and its cloud."""
    for name, value in bench.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", [str(bench.programs), *sys.path])
    collect = importlib.import_module("machine_collect")
    yield collect, sys.modules["machine_calls"].opened()
    for name in ("machine_collect", "machine_calls"):
        sys.modules.pop(name)


__all__ = ["NOTES", "Bench", "azure", "bench", "programs"]
