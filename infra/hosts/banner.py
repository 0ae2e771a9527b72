"""Whether a machine's sshd answers yet, before ssh itself is tried: a rented one takes its time."""

import socket
import time
from collections.abc import Callable

from infra.errors import HostError

EVERY_S = 2.0
CONNECT_S = 3.0
LAST_LOOK_S = 1.0
SPEAK_S = 10.0
"""A port that a provider's proxy has opened takes connections before the machine behind it speaks."""
MOST_BYTES = 8192
"""Lines that a server may send before its banner (RFC 4253, 4.2) end somewhere."""


def wait_for_banner(
    host: str,
    port: int,
    *,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Stay until a server shows that it speaks SSH; False if cancelled before, within about 3 s.

    Raises:
        HostError: it did not within `timeout_s`; the text holds the last reason.
    """
    deadline = time.monotonic() + timeout_s
    while not cancelled():
        # The last look has its time too: cut short, it would tell of silence where there is a refusal.
        problem = _look(host, port, max(deadline, time.monotonic() + LAST_LOOK_S), cancelled)
        if problem is None:
            return True
        if time.monotonic() >= deadline:
            raise HostError(f"{host}:{port} did not speak SSH within {timeout_s:g} s: {problem}")
        sleep(min(EVERY_S, max(0.0, deadline - time.monotonic())))
    return False


def _look(host: str, port: int, deadline: float, cancelled: Callable[[], bool]) -> str | None:
    """None where a banner came; else why not."""
    try:
        left = max(0.1, min(CONNECT_S, deadline - time.monotonic()))
        with socket.create_connection((host, port), timeout=left) as connection:
            return _read(connection, min(deadline, time.monotonic() + SPEAK_S), cancelled)
    except TimeoutError:
        return "it does not answer"
    except OSError as error:
        return error.strerror or type(error).__name__


def _read(connection: socket.socket, deadline: float, cancelled: Callable[[], bool]) -> str | None:
    got = b""
    connection.settimeout(0.5)
    while time.monotonic() < deadline and not cancelled():
        try:
            part = connection.recv(512)
        except TimeoutError:
            continue
        got += part
        if any(line.startswith(b"SSH-") for line in got.splitlines()):
            return None
        if not part:
            return "it closed the connection without a word"
        if len(got) > MOST_BYTES:
            return "it speaks another protocol"
    return "it takes connections and says nothing"
