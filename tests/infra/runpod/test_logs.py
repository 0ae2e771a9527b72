"""Streams of events: cut anywhere, ended anyhow; and no read that goes on for longer than it may."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runpod.client import RunpodClient
from infra.runpod.errors import ServiceError
from infra.runpod.logs import Event, events, log_lines
from tests.infra.runpod.service import KEY

WHAT = "read the log of pod p"


def payload(line: str) -> str:
    return json.dumps({"ts": "2026-06-01T12:02:03Z", "source": "container", "line": line}, ensure_ascii=False)


@settings(deadline=None)
@given(
    st.lists(st.text(), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 7),
    st.booleans(),
)
def test_lines_survive_any_cut_and_any_line_end(lines, end, size, bom) -> None:
    parts = [f": ping{end}id: {i}{end}data: {payload(line)}{end}{end}" for i, line in enumerate(lines)]
    raw = (("\ufeff" if bom else "") + "".join(parts)).encode("utf-8", "surrogatepass")
    pieces = [raw[i : i + size] for i in range(0, len(raw), size)]
    assert [one.line for one in log_lines(pieces, WHAT)] == lines


def test_data_in_several_lines_is_one_event() -> None:
    raw = [b"event: log\nid:7\ndata: {\ndata:  1\ndata\ndata:}\nretry: 5\nunknown: x\n\ndata: b\n\n"]
    assert list(events(raw)) == [Event("log", "{\n 1\n\n}", "7"), Event("", "b", "7")]


@pytest.mark.parametrize("size", range(1, 9))
def test_a_cut_between_cr_and_lf_ends_no_event(size) -> None:
    raw = b"event: log\r\ndata: a\r\ndata: b\r\n\r\n"
    pieces = [raw[i : i + size] for i in range(0, len(raw), size)]
    assert list(events(pieces)) == [Event("log", "a\nb", "")]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    raw = payload("a?b").encode().replace(b"?", b"\xff")
    assert [one.line for one in log_lines([b"data: " + raw + b"\n\n"], WHAT)] == ["a\ufffdb"]


def test_events_of_other_kinds_and_empty_ones_are_left_out() -> None:
    raw = f": hello\n\nevent: ping\ndata: {{}}\n\n\n\nevent: message\ndata: {payload('x')}\n\n".encode()
    assert [one.line for one in log_lines([raw], WHAT)] == ["x"]


def test_a_line_cut_by_the_end_is_no_line_and_one_without_its_empty_line_is() -> None:
    whole, cut = f"data: {payload('whole')}\n", f"data: {payload('cut')}"
    assert [one.line for one in log_lines([whole.encode()], WHAT)] == ["whole"]
    assert [one.line for one in log_lines([f"{whole}\n{cut[:-4]}".encode()], WHAT)] == ["whole"]


@pytest.mark.parametrize(
    ("data", "message"), [("{", "is no JSON"), ("{}", "lacks 'ts'"), ("[]", "of another kind")]
)
def test_what_is_no_line_of_a_log(data, message) -> None:
    with pytest.raises(ServiceError, match=message):
        list(log_lines([f"data: {data}\n\n".encode()], WHAT))


@pytest.fixture
def stream() -> Iterator[tuple[socket.socket, list[bytes]]]:
    """A real server on loopback: what it sends, with None for a pause that only its end ends."""
    server = socket.create_server(("127.0.0.1", 0))
    script: list[object] = []
    done = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            for one in script:
                if one is None:
                    done.wait(30)
                elif isinstance(one, float):
                    if done.wait(one):
                        return
                elif isinstance(one, bytes):
                    connection.sendall(f"{len(one):x}\r\n".encode() + one + b"\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield server, script
    done.set()
    thread.join(10)
    server.close()


def lines_of(server: socket.socket, timeout_s: float) -> tuple[list[str], float]:
    begin_s = time.monotonic()
    with RunpodClient(KEY, f"http://127.0.0.1:{server.getsockname()[1]}/v2") as client:
        return [one.line for one in client.logs("p", timeout_s=timeout_s)], time.monotonic() - begin_s


def test_a_silent_stream_ends_without_an_error(stream) -> None:
    server, script = stream
    script += [f"data: {payload('one')}\n\n".encode(), None]
    lines, took_s = lines_of(server, 0.3)
    assert lines == ["one"]
    assert took_s < 5


def test_a_talkative_stream_ends_in_time(stream) -> None:
    server, script = stream
    script += [part for _ in range(500) for part in (f"data: {payload('tick')}\n\n".encode(), 0.05)]
    lines, took_s = lines_of(server, 0.4)
    assert 2 < len(lines) < 100
    assert took_s < 5


def test_a_stream_that_ends_is_read_to_its_end(stream) -> None:
    server, script = stream
    raw = "".join(f"data: {payload(word)}\n\n" for word in ("Gruß", "世界")).encode()
    script += [raw[:40], raw[40:59], raw[59:], b""]
    assert lines_of(server, 5.0)[0] == ["Gruß", "世界"]


def test_a_stream_that_breaks_is_told(stream) -> None:
    server, script = stream
    script += [f"data: {payload('one')}\n\n".encode()]
    with pytest.raises(ServiceError, match="the connection broke"):
        lines_of(server, 5.0)


def test_a_reader_that_leaves_early_leaves_nothing_open(stream) -> None:
    server, script = stream
    script += [f"data: {payload('one')}\n\n".encode(), None]
    with httpx.Client() as http:
        client = RunpodClient(KEY, f"http://127.0.0.1:{server.getsockname()[1]}/v2", http=http)
        lines = client.logs("p", timeout_s=20.0)
        assert next(lines).line == "one"
        lines.close()
        assert http._transport._pool.connections == []
