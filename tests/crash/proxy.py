"""Between plugin and simulator: counts the plugin's calls and, at one of them, pulls the plug."""

import http.client
import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

import psutil

When = Literal["before", "after"]
IDS = re.compile(r"^(/v2/(?:pods|network-volumes))/[^/]+")
HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


@dataclass(frozen=True, slots=True)
class Step:
    """Calls of one kind in a row: a wait that looks ten times is one of them."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plug:
    """Pulled at the first call of a step."""

    at: int | str
    """Of the steps since it was armed, from 0; or its call: POST /v2/pods, or POST /v2/pods 2 for the second."""
    when: When
    """before: the call never reaches the simulator; after: its work is done, its answer never comes back."""
    kill: Callable[[int], None]
    """Takes the process that called."""


class Proxy:
    """One account's calls; the pods ask the simulator itself."""

    def __init__(self, server: "_Server") -> None:
        self._server = server
        self.port = int(server.server_address[1])
        self.address = f"http://127.0.0.1:{self.port}/v2"

    @property
    def steps(self) -> list[Step]:
        """Since it was armed, or began."""
        with self._server.lock:
            return list(self._server.steps)

    @property
    def pulled(self) -> bool:
        """Whether the plug was, since it was armed."""
        return self._server.pulled.is_set()

    def arm(self, plug: Plug | None) -> None:
        """Count anew; None only counts."""
        with self._server.lock:
            self._server.plug, self._server.steps = plug, []
            self._server.pulled.clear()


@contextmanager
def between(simulator: str, port: int = 0) -> Iterator[Proxy]:
    """A proxy to the simulator at this address; on a free port where none is given."""
    server = _Server(simulator, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Proxy(server)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, simulator: str, port: int) -> None:
        self.simulator = urlsplit(simulator).netloc
        self.lock = threading.Lock()
        self.steps: list[Step] = []
        self.plug: Plug | None = None
        self.pulled = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)

    def met(self, step: Step) -> Plug | None:
        """Count the call; the plug, if it is to be pulled at it."""
        with self.lock:
            if not self.steps or self.steps[-1] != step:
                self.steps.append(step)
                nth = self.steps.count(step)
                here = (len(self.steps) - 1, str(step) if nth == 1 else f"{step} {nth}")
                if self.plug is not None and self.plug.at in here and not self.pulled.is_set():
                    return self.plug
            return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """All methods alike."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        plug = self.server.met(Step(self.command, IDS.sub(r"\1/{id}", urlsplit(self.path).path)))
        if plug is not None and plug.when == "before":
            self._pull(plug)
            return
        far = http.client.HTTPConnection(self.server.simulator, timeout=120)
        try:
            kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", *HOP)}
            far.request(self.command, self.path, body=body or None, headers=kept)
            answer = far.getresponse()
            if plug is not None:
                self._pull(plug)
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (*HOP, "server", "date"):
                    self.send_header(name, value)
            if answer.chunked:
                self._stream(answer, far)
                return
            content = answer.read()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        finally:
            far.close()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _pull(self, plug: Plug) -> None:
        port = self.client_address[1]
        callers = [
            one.pid
            for one in psutil.net_connections("tcp")
            if one.laddr and one.laddr.port == port and one.raddr and one.raddr.port != port and one.pid
        ]
        ours = [pid for pid in callers if pid != psutil.Process().pid]
        # First, since whoever waits for the end of what is killed looks at it then.
        self.server.pulled.set()
        plug.kill(ours[0])
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _stream(self, answer: http.client.HTTPResponse, far: http.client.HTTPConnection) -> None:
        """Until it ends, or whoever asked is gone."""
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        assert far.sock is not None or answer.fp is not None
        while True:
            if select.select([self.connection], [], [], 0)[0]:
                self.close_connection = True
                return
            piece = answer.read1(65536)
            if not piece:
                break
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
