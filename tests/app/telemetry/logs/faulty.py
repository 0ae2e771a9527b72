"""A way to an AWS on loopback that fails as told: down, slow, throttled, or its answers lost on the way."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

THROTTLED = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()


class FaultyWay(ThreadingHTTPServer):
    """Passes requests on while `mode` is ok."""

    daemon_threads = True

    def __init__(self, beyond: str) -> None:
        super().__init__(("127.0.0.1", 0), Pass)
        self.beyond = beyond.removeprefix("http://")
        self.mode = "ok"
        self.slow_s = 1.0
        self.calls: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up waiting is what the test wants."""


class Pass(BaseHTTPRequestHandler):
    server: FaultyWay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = self.server.mode
        self.server.calls.append(mode)
        if mode == "down":
            self.close_connection = True
            return
        if mode == "throttled":
            self._answer(400, THROTTLED)
            return
        if mode == "slow":
            time.sleep(self.server.slow_s)
            self.close_connection = True
            return
        beyond = http.client.HTTPConnection(self.server.beyond, timeout=30)
        beyond.request("POST", self.path, body, dict(self.headers))
        answer = beyond.getresponse()
        data = answer.read()
        beyond.close()
        if mode == "answers lost":
            self.close_connection = True
            return
        self._answer(answer.status, data)

    def _answer(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def faulty_way(beyond: str) -> Iterator[FaultyWay]:
    server = FaultyWay(beyond)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
