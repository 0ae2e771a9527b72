"""Azure's metadata address on loopback: scheduled events, the machine's name, and tokens of its identity."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.app.served import served

MACHINE = "st-1a2b3c4d-1"
CLIENT = "11111111-2222-3333-4444-555555555555"


class AzureMetadata(ThreadingHTTPServer):
    """With what it tells, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.incarnation = 1
        self.events: list[dict[str, Any]] = []
        self.name: str | None = MACHINE
        self.client_id = CLIENT
        """Of the identity that this machine has."""
        self.token = "token"
        self.asked: list[str] = []
        self.approved: list[str] = []
        self.tokens_for: list[str] = []
        self.body: str | None = None
        """Instead of the events."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tell(self, kind: str, *, in_s: float = 30.0, of: tuple[str, ...] = (MACHINE,), **more: Any) -> None:
        """One event more, as the service writes it."""
        self.incarnation += 1
        event = {
            "EventId": f"{kind}-{self.incarnation}",
            "EventStatus": "Scheduled",
            "EventType": kind,
            "ResourceType": "VirtualMachine",
            "Resources": list(of),
            "NotBefore": formatdate(time.time() + in_s, usegmt=True),
            "Description": "",
            "EventSource": "Platform",
            "DurationInSeconds": -1,
        }
        self.events.append({**event, **more})

    def evict(self) -> None:
        """The thirty seconds' notice."""
        self.tell("Preempt")


class Answer(BaseHTTPRequestHandler):
    server: AzureMetadata

    def do_GET(self) -> None:
        server, asked = self.server, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        server.asked.append(asked.path)
        if self.headers["Metadata"] != "true" or not query.get("api-version"):
            self._answer(400, "Bad Request")
        elif asked.path == "/metadata/scheduledevents" and query["api-version"] == "2020-07-01":
            document = {"DocumentIncarnation": server.incarnation, "Events": server.events}
            self._answer(200, json.dumps(document) if server.body is None else server.body)
        elif asked.path == "/metadata/instance/compute/name" and query.get("format") == "text":
            self._answer(500 if server.name is None else 200, server.name or "")
        elif asked.path == "/metadata/instance/compute":
            told = {
                "name": server.name,
                "vmSize": "Standard_NC4as_T4_v3",
                "location": "westeurope",
                "priority": "Spot",
            }
            self._answer(200, json.dumps(told))
        elif asked.path == "/metadata/identity/oauth2/token":
            self._token(query)
        else:
            self._answer(404, "")

    def _token(self, query: dict[str, str]) -> None:
        """Source: "How to use managed identities on an Azure VM to acquire an access token"."""
        if query.get("client_id", self.server.client_id) != self.server.client_id:
            wrong = {"error": "invalid_request", "error_description": "Identity not found"}
            self._answer(400, json.dumps(wrong))
            return
        self.server.tokens_for.append(query["resource"])
        token = {
            "access_token": self.server.token,
            "expires_in": "3600",
            "expires_on": str(int(time.time()) + 3600),
            "resource": query["resource"],
            "token_type": "Bearer",
            "client_id": self.server.client_id,
        }
        self._answer(200, json.dumps(token))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.approved += [request["EventId"] for request in body["StartRequests"]]
        self._answer(200, "")

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def azure_metadata_server() -> Iterator[AzureMetadata]:
    with served(AzureMetadata()) as server:
        yield server
