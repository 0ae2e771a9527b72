"""A real HTTP server on loopback that takes messages."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "s3cr3t-token"


class Hook(BaseHTTPRequestHandler):
    """Takes a message; /slow answers never, /refused refuses."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
        if self.path.startswith("/slow"):
            self.server.over.wait(30)  # type: ignore[attr-defined]
        self.send_response(403 if self.path.startswith("/refused") else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Hooked(ThreadingHTTPServer):
    """With what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server_port}"


@pytest.fixture
def hook() -> Iterator[Hooked]:
    server = Hooked()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()
