"""The wire: HTTP/1.1 on loopback, keys, faults, problem details, event streams."""

import json
import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from infra.runpod.simulator.answer import Answer, Request
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.faults import REQUEST_FAULTS, Fault
from infra.runpod.simulator.problems import Problem, no_capacity, too_many
from infra.runpod.simulator.routes import Route, find
from infra.runpod.simulator.simulation import Seen, Simulation

MARK = {"X-Sonarstack-Simulated": "1"}
"""On every answer, so that nobody takes it for Runpod."""
EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "Connection": "keep-alive",
          "X-Accel-Buffering": "no", "Transfer-Encoding": "chunked"}  # fmt: skip


class LostError(Exception):
    """The connection is closed without an answer."""


class Server(ThreadingHTTPServer):
    """Listens on loopback only."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, sim: Simulation, port: int = 0) -> None:
        self.sim = sim
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        """What clients call RUNPOD_REST_V2_API_URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/v2"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is nothing to tell."""

    def hang_up(self) -> None:
        """End what clients keep open."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # One packet an answer: else the client's delayed acknowledgement adds 40 ms to each.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """All methods alike."""
        sim, url = self.server.sim, urlsplit(self.path)
        self._by = "nobody"
        status = 0
        try:
            answer = self._answer(sim, url.path, dict(parse_qsl(url.query, keep_blank_values=True)))
            status = answer.status
            # Noted before it is sent: who has the answer finds the request among those seen.
            sim.seen.append(Seen(method=self.command, path=url.path, status=status, by=self._by))
            self._send(answer)
        except LostError:
            sim.seen.append(Seen(method=self.command, path=url.path, status=0, by=self._by))
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        except ConnectionError:
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Silent; GET /simulator/requests knows."""

    def _answer(self, sim: Simulation, path: str, query: Mapping[str, str]) -> Answer:
        self._headers: dict[str, str] = {}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        met = [] if path.startswith("/simulator/") else self._take_faults(sim, path)
        try:
            self._before(met, path)
            answer = self._work(sim, unquote(path), query, raw, {one.kind for one in met})
        except Problem as problem:
            headers = {"Content-Type": "application/problem+json", **problem.headers, **self._headers}
            answer = Answer(problem.status, problem.body(), headers=headers)
        except LostError:
            raise
        except Exception:  # noqa: BLE001 the caller gets an answer; the error is told and kept
            sim.failed()
            broken = Problem(500, "the simulator itself failed; see its output")
            answer = Answer(500, broken.body(), headers={"Content-Type": "application/problem+json"})
        for fault in met:
            if fault.kind == "answer_lost":
                raise LostError
            if fault.kind == "delay_after":
                self._wait(fault.seconds)
        return answer

    def _before(self, met: list[Fault], path: str) -> None:
        """Faults that come before any work."""
        for fault in met:
            if fault.kind == "delay":
                self._wait(fault.seconds)
            elif fault.kind == "answer_lost_before":
                raise LostError
            elif fault.kind == "status":
                raise Problem(fault.status, "a fault that was asked for")
            elif fault.kind == "too_many":
                raise too_many("minute", max(1, round(fault.seconds)))
            elif fault.kind == "no_capacity" and (self.command, path) == ("POST", "/v2/pods"):
                raise no_capacity()

    def _wait(self, seconds: float) -> None:
        """As long as the client does: raises LostError once it has left."""
        if select.select([self.connection], [], [], seconds)[0]:
            raise LostError

    def _work(
        self, sim: Simulation, path: str, query: Mapping[str, str], raw: bytes, met: set[str]
    ) -> Answer:
        control = path.startswith("/simulator/")
        with sim.lock:
            sim.tick()
            pod_id = None if control else self._authorise(sim)
            route, id_ = find(self.command, path)
            fields = _body(route, raw)
            if pod_id is not None:
                self._restrict(sim, route, pod_id, id_, fields, path)
            asked = Request(
                id=id_,
                query=query,
                headers=dict(self.headers.items()),
                fields=fields,
                lowercase="lowercase_data_center" in met,
            )
            with _emptied(sim, "empty_stock" in met):
                answer = route.do(sim, asked)
            if self.command != "GET":
                sim.save()
        return Answer(answer.status, answer.body, answer.stream, {**answer.headers, **self._headers})

    def _authorise(self, sim: Simulation) -> str | None:
        """The pod whose own key it is; None for the account's.

        Raises:
            Problem: 401, 429.
        """
        scheme, _, key = (self.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Problem(401, "missing bearer token")
        key = key.strip()
        pod_id = None
        if key not in sim.state.keys:
            pod_id = sim.pod_of_key(key)
            if pod_id is None:
                raise Problem(401, "invalid bearer token")
        self._by = "account" if pod_id is None else f"pod {pod_id}"
        self._headers, over, wait_s = sim.quota(key).take()
        if over is not None:
            raise too_many(over, wait_s)
        return pod_id

    @follows("pod-key-rights")
    def _restrict(
        self, sim: Simulation, route: Route, pod_id: str, id_: str, fields: Mapping[str, Any], path: str
    ) -> None:
        refused = sim.faults.take(self.command, path, ("key_refused",), "pod")
        allowed = sim.settings.pod_keys and not refused
        own = route.own_pod and id_ == pod_id and fields.get("action", "terminate") == "terminate"
        if not (allowed and own):
            raise Problem(403, "access denied")

    def _take_faults(self, sim: Simulation, path: str) -> list[Fault]:
        _, _, key = (self.headers.get("Authorization") or "").partition(" ")
        with sim.lock:
            by = "account" if sim.pod_of_key(key.strip()) is None else "pod"
        kinds = [one for one in REQUEST_FAULTS if one != "key_refused"]
        return sim.faults.take(self.command, path, kinds, by)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {**MARK, **answer.headers}
        if answer.stream is not None:
            self._send_headers({**headers, **EVENTS})
            self._stream(answer.stream)
            return
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        if answer.status != 204:
            headers = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
        self._send_headers(headers)
        self.wfile.write(body)
        self.wfile.flush()

    def _send_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def _stream(self, events: Iterator[bytes]) -> None:
        """Until it ends, or the client is gone."""
        for event in events:
            if event:
                self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                self.wfile.flush()
            elif select.select([self.connection], [], [], 0)[0]:
                # It says nothing any more, so there is only its leaving to be read.
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


@follows("unknown-json")
def _body(route: Route, raw: bytes) -> Mapping[str, Any]:
    if route.body is None:
        return {}
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise Problem(400, "the request body is not valid JSON") from error
    errors = list(route.body(value, "$"))
    if errors:
        raise Problem(422, "Request validation failed.", errors)
    assert isinstance(value, dict)
    return value


@contextmanager
def _emptied(sim: Simulation, empty: bool) -> Iterator[None]:
    sim.catalogue.empty = empty
    try:
        yield
    finally:
        sim.catalogue.empty = False
