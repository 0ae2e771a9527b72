"""EC2's metadata address on loopback: tokens as IMDSv2 wants them, and notices when the test says so."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.app.served import served


class Metadata(ThreadingHTTPServer):
    """With what it tells, and whom it let in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.documents: dict[str, Any] = {}
        """Below /latest/meta-data/."""
        self.token = "token-1"
        self.asked: list[str] = []
        self.refused = 0
        self.broken = False
        self.failing: set[str] = set()
        """Names of documents that are answered by an error."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def interrupt(self) -> None:
        """The two minutes' notice."""
        self.documents["spot/instance-action"] = {"action": "terminate", "time": "2026-11-28T12:02:00Z"}

    def recommend_rebalance(self) -> None:
        self.documents["events/recommendations/rebalance"] = {"noticeTime": "2026-11-28T11:50:00Z"}


class Answer(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        good = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self._answer(200 if good else 400, self.server.token)

    def do_GET(self) -> None:
        name = self.path.removeprefix("/latest/meta-data/")
        self.server.asked.append(name)
        if self.server.broken or name in self.server.failing:
            self._answer(503, "")
        elif self.headers["X-aws-ec2-metadata-token"] != self.server.token:
            self.server.refused += 1
            self._answer(401, "")
        elif name in self.server.documents:
            document = self.server.documents[name]
            self._answer(200, document if isinstance(document, str) else json.dumps(document))
        else:
            self._answer(404, "")

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def metadata_server() -> Iterator[Metadata]:
    with served(Metadata()) as server:
        yield server
