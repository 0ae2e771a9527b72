"""The wait for a machine that takes its time."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from infra.errors import HostError
from infra.hosts.banner import wait_for_banner


@contextmanager
def server(says: bytes | None, *, then_close: bool = False) -> Iterator[int]:
    """Takes connections, and says that; None is silence."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                one, _ = listener.accept()
                held.append(one)
                if says is not None:
                    one.sendall(says)
                if then_close:
                    one.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for one in held:
            one.close()


def test_a_real_sshd(sshd) -> None:
    assert wait_for_banner("127.0.0.1", int(sshd.address.rpartition(":")[2]), timeout_s=10.0)


def test_lines_before_the_banner_are_allowed() -> None:
    with server(b"welcome\r\nto the pod\r\nSSH-2.0-x\r\n") as port:
        assert wait_for_banner("127.0.0.1", port, timeout_s=5.0)


@pytest.mark.parametrize(
    ("says", "close", "reason"),
    [
        (None, False, "it takes connections and says nothing"),
        (b"", True, "it closed the connection without a word"),
        (b"x" * 10_000, False, "it speaks another protocol"),
    ],
)
def test_what_does_not_speak_ssh(says, close, reason) -> None:
    started = time.monotonic()
    with (
        server(says, then_close=close) as port,
        pytest.raises(HostError, match=f"did not speak SSH within 1.5 s: {reason}"),
    ):
        wait_for_banner("127.0.0.1", port, timeout_s=1.5)
    assert time.monotonic() - started < 6.0


def test_it_is_waited_for_until_it_listens(free_port) -> None:
    slept: list[float] = []
    with socket.socket() as later:
        later.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                later.bind(("127.0.0.1", free_port))
                later.listen()
                threading.Thread(target=greet, args=(later,), daemon=True).start()

        assert wait_for_banner("127.0.0.1", free_port, timeout_s=30.0, sleep=sleep)
    assert len(slept) == 2


def greet(listener: socket.socket) -> None:
    with listener.accept()[0] as one:
        one.sendall(b"SSH-2.0-late\r\n")
        one.recv(1)


def test_nobody_listens(free_port) -> None:
    with pytest.raises(HostError, match=r"127.0.0.1:\d+ did not speak SSH within 0.3 s: .*refused"):
        wait_for_banner("127.0.0.1", free_port, timeout_s=0.3)


def test_cancel_ends_the_wait() -> None:
    started = time.monotonic()
    with server(None) as port:
        assert not wait_for_banner(
            "127.0.0.1", port, timeout_s=60.0, cancelled=lambda: time.monotonic() > started + 0.5
        )
    assert time.monotonic() - started < 5.0
