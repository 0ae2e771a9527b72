"""A TCP line on loopback that counts what it carries, and can be cut, slowed and taken away."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PIECE = 16384
REPOSITORY = Path(__file__).resolve().parents[3]


class Line:
    """From a port of its own to another one."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.up = self.down = self.connections = 0
        """Bytes towards the server and back; connections that were let through."""
        self.cut_up_at: int | None = None
        self.cut_down_at: int | None = None
        """Cut once, when so many bytes have passed."""
        self.away_s = 0.0
        """How long nobody gets through after a cut."""
        self.bytes_per_s: float | None = None
        self.cuts = 0
        self._away_until = 0.0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, other: str) -> str:
        """The same address through this line."""
        return f"{other.rpartition(':')[0]}:{self.port}"

    def cut(self) -> None:
        """End every connection, as a router does that starts again."""
        with self._lock:
            self.cuts += 1
            self._away_until = time.monotonic() + self.away_s
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def back(self) -> None:
        """After a cut let everybody through again, however long it was to be away."""
        self._away_until = 0.0

    def close(self) -> None:
        """Take it away."""
        self.cut()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if time.monotonic() < self._away_until:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            with self._lock:
                self.connections += 1
                self._open += [near, far]
            ends = threading.Barrier(2, action=lambda near=near, far=far: (near.close(), far.close()))
            for here, there, name in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self._carry, args=(here, there, name, ends), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket, name: str, ends: threading.Barrier) -> None:
        with suppress(OSError):
            while piece := here.recv(PIECE):
                there.sendall(piece)
                if self._count(name, len(piece)):
                    self.cut()
                if self.bytes_per_s is not None:
                    time.sleep(len(piece) / self.bytes_per_s)
        for one in (here, there):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        ends.wait()

    def _count(self, name: str, size: int) -> bool:
        """Whether that is the moment to cut."""
        with self._lock:
            now = getattr(self, name) + size
            setattr(self, name, now)
            limit = getattr(self, f"cut_{name}_at")
            if limit is None or now < limit:
                return False
            setattr(self, f"cut_{name}_at", None)
            return True


@contextmanager
def line_to(address: str) -> Iterator[Line]:
    """A line to the port of an ssh:// address."""
    line = Line(int(address.rpartition(":")[2]))
    try:
        yield line
    finally:
        line.close()


def flip_byte(path: Path, offset: int) -> None:
    """Damage that size and time do not show."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(offset)
        old = stream.read(1) or b"\0"
        stream.seek(offset)
        stream.write(bytes([old[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def wait_until(fact: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Until it is so; an error if it does not become so."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.02)
