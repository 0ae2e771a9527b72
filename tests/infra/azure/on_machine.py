"""A machine on Azure as far as its own programs see it: its files, the programs on its PATH, and whom it asks.

`Azure` stands in on loopback for the metadata address, Resource Manager, the logs' ingestion and the registry's
exchange; blobs are Azurite's. Every bearer is looked at: each of them takes tokens for itself alone.
"""

import base64
import importlib
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.azure.orders import CALLS, COLLECT, SETTINGS, HostOrders, host_files, host_orders
from infra.vm.cloud_init import FOLDER
from infra.vm.orders import Orders
from tests.infra.azure.azurite import Azurite, token

MACHINE, CLIENT = "stamp-0123abcd-0", "00000000-1111-2222-3333-444444444444"
MACHINE_ID = (
    f"/subscriptions/s/resourceGroups/stamp-azure/providers/Microsoft.Compute/virtualMachines/{MACHINE}"
)
STREAM = "/dataCollectionRules/dcr-1/streams/Custom-SonarstackGpu_CL"
NOTES = "night/host/0123abcd"
PASSWORD = "refresh-T0KEN"
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


class Azure:
    """What was asked of it, and what it answers first instead of what it should."""

    def __init__(
        self,
        machine_id: str = MACHINE_ID,
        *,
        places: Sequence[tuple[str, int]] = (("127.0.0.1", 0),),
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """`certificate`, and its key, where it listens at port 443."""
        self.machine_id, self.name = machine_id, machine_id.rpartition("/")[2]
        self.asked: list[tuple[str, str]] = []
        """Method and path with query."""
        self.bearers: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.forms: list[dict[str, str]] = []
        self.deleted: list[str] = []
        self.agreed: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.first: dict[str, list[tuple[int, dict[str, str]]]] = {}
        """Beginning of `METHOD path` to the statuses and headers that come first."""
        self.lives = True
        self.tells_before_the_end = True
        azure = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            do_GET = do_POST = do_DELETE = do_PUT = lambda self: azure.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.servers = [ThreadingHTTPServer(place, Handler) for place in places]
        for server in self.servers:
            server.daemon_threads = True
            if certificate is not None and server.server_port == 443:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certificate)
                server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.asked.append((request.command, request.path))
        path, _, words = request.path.partition("?")
        query = dict(urllib.parse.parse_qsl(words))
        status, headers, told = self.said(request, path, query, body)
        text = b"" if told is None else json.dumps(told).encode()
        request.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(text)

    def said(
        self, request: BaseHTTPRequestHandler, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.bearers += [bearer] if bearer else []
        for start, answers in self.first.items():
            if answers and f"{request.command} {path}".startswith(start):
                status, headers = answers.pop(0)
                return status, headers, {"error": {"code": "AsTheTestSays"}}
        if path.startswith("/metadata/"):
            return self.metadata(request, path, query, body)
        if path == "/oauth2/exchange":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            self.forms.append(form)
            if audience(form.get("access_token", "")) != "https://management.azure.com/":
                return 401, {}, None
            return 200, {}, {"refresh_token": PASSWORD}
        if path == STREAM and request.command == "POST":
            if audience(bearer) != "https://monitor.azure.com/" or query != {"api-version": "2023-01-01"}:
                return 403, {}, None
            self.rows += json.loads(body)
            return 204, {}, None
        if path == self.machine_id and audience(bearer) == "https://management.azure.com/":
            return self.machine(request.command, query)
        return 403, {}, None

    def metadata(
        self, request: BaseHTTPRequestHandler, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        if request.headers.get("Metadata") != "true" or request.headers.get("X-Forwarded-For"):
            return 400, {}, {"error": "Bad request. Required metadata header not specified"}
        if path == "/metadata/identity/oauth2/token":
            if query.get("client_id") != CLIENT or query.get("api-version") != "2018-02-01":
                return 400, {}, {"error": "invalid_request", "error_description": "Identity not found"}
            return 200, {}, {
                "access_token": token(query["resource"]), "expires_on": str(2**31), "resource": query["resource"],
            }  # fmt: skip
        if path == "/metadata/instance/compute" and query.get("api-version"):
            return 200, {}, {"name": self.name, "vmId": "1"}
        if path == "/metadata/scheduledevents" and query.get("api-version") == "2020-07-01":
            if request.command == "POST":
                self.agreed += [one["EventId"] for one in json.loads(body)["StartRequests"]]
                self.events.clear()
                self.lives = False
                return 200, {}, None
            return 200, {}, {"DocumentIncarnation": 1, "Events": self.events}
        return 404, {}, None

    def machine(self, method: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if query != {"api-version": "2024-07-01"}:
            return 400, {}, None
        if method == "GET":
            state = "Deleting" if self.deleted else "Succeeded"
            return 200, {}, {"name": self.name, "properties": {"provisioningState": state}}
        if not self.lives:
            return 404, {}, {"error": {"code": "ResourceNotFound"}}
        self.deleted.append(self.machine_id)
        if self.tells_before_the_end and not self.agreed:
            self.events = [
                {"EventId": "E1", "EventType": "Terminate", "Resources": [self.name]},
                {"EventId": "E2", "EventType": "Freeze", "Resources": [self.name]},
            ]
        return 202, {"Location": f"{self.address}/operations/1"}, None


def audience(bearer: str) -> str:
    """Whom a token is for."""
    try:
        body = bearer.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["aud"])
    except (IndexError, ValueError):
        return ""


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
def azure() -> Iterator[Azure]:
    azure = Azure()
    yield azure
    for server in azure.servers:
        server.shutdown()
        server.server_close()


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
    monkeypatch.syspath_prepend(str(bench.programs))
    collect = importlib.import_module("machine_collect")
    yield collect, sys.modules["machine_calls"].opened()
    for name in ("machine_collect", "machine_calls"):
        sys.modules.pop(name)


__all__ = ["MACHINE", "MACHINE_ID", "NOTES", "Azure", "Bench", "azure", "bench", "host_orders", "programs"]
