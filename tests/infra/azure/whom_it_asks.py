"""Whom a machine on Azure asks besides its blobs: metadata address, Resource Manager, logs' ingestion, registry.

One stand-in on loopback for all of them. Every bearer is looked at: each takes tokens for itself alone.
"""

import base64
import json
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azure.azurite import token

MACHINE, CLIENT = "stamp-0123abcd-0", "00000000-1111-2222-3333-444444444444"
MACHINE_ID = (
    f"/subscriptions/s/resourceGroups/stamp-azure/providers/Microsoft.Compute/virtualMachines/{MACHINE}"
)
STREAM = "/dataCollectionRules/dcr-1/streams/Custom-SonarstackGpu_CL"
PASSWORD = "refresh-T0KEN"


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


@pytest.fixture
def azure() -> Iterator[Azure]:
    azure = Azure()
    yield azure
    for server in azure.servers:
        server.shutdown()
        server.server_close()
