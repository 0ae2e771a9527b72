"""rsync between this machine and a host, over the host's own ssh: goes on where it was cut, can be cancelled."""

import os
import re
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from infra.errors import HostError
from infra.hosts.far_tree import PARTIAL
from infra.hosts.host import Host
from infra.hosts.patience import patiently
from infra.hosts.process import LOOK_S, CancelledError, TimedOutError, end_program, start_program
from infra.hosts.refusal import UNVERIFIED, NoConnectionError
from infra.hosts.ssh import NO_CONNECTION, SshHost

CUT = (10, 12, 30, 35, NO_CONNECTION)
"""Exit codes that tell of the connection (man rsync, EXIT VALUES); anything else will not mend itself."""
VANISHED = 24
STALLED_S = 120
WORDS = (
    # Links are followed, so that content arrives; no owner, no devices: a rented disk may refuse both.
    "rsync", "-rLpt", "--secluded-args", f"--timeout={STALLED_S}",
    # A file that was cut waits there, never under its own name, and is gone on with by difference: unlike
    # --append it needs no trust in what has arrived, for rsync checks the whole file's checksum in the end.
    f"--partial-dir={PARTIAL}",
    # Always, for without a reader it ends: a copy does not outlive whoever was killed beside it.
    "--info=progress2", "--no-human-readable", "--outbuf=N",
)  # fmt: skip
DONE = re.compile(rb"([\d.,]+)\s+\d+%")
NOT_LET_IN = re.compile(r"Permission denied \([a-z]")
"""ssh's, with the ways that were tried; a file's is followed by a number."""


def far_path(host: Host, path: str) -> str:
    """A folder's content on a host, as rsync names it."""
    return f"{host.destination}:{path}/" if isinstance(host, SshHost) else near_path(Path(path).expanduser())


def near_path(folder: Path) -> str:
    """A folder's content here: absolute, for rsync takes what stands before a colon for a host."""
    return f"{folder.absolute()}/"


def copy(
    source: str,
    target: str,
    *,
    host: Host,
    options: Sequence[str] = (),
    names: Sequence[str] | None = None,
    may_vanish: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Copy a folder; what rsync takes for equal, by size and time, is left out, and a cut is gone on with.

    Args:
        source: `near_path` or `far_path`.
        target: likewise.
        host: the one of both that is far.
        options: further words for rsync.
        names: only these files, and their content compared whatever size and time say.
        may_vanish: files that go away meanwhile are no error.
        cancelled: looked at all the time.
        progress: bytes copied so far, by rsync's count; what was there already is not in it.

    Raises:
        HostError: rsync is missing, a disk is full, or the connection did not come back.
    """
    words = [*WORDS, *options]
    if isinstance(host, SshHost):
        words += ["-e", shlex.join(host.ssh_command())]
    fine = (0, VANISHED) if may_vanish else (0,)
    attempts, best = 0, 0

    def tell(done: int) -> None:
        nonlocal best
        if progress is not None and done > best:  # the count begins anew with every attempt
            best = done
            progress(done)

    def once() -> None:
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            _connect_anew(host, cancelled)
        code, lines = _run([*words, *listed, "--", source, target], cancelled, tell)
        if code not in fine:
            raise _problem(host, target, code, lines)

    with _names_file(names) as listed:
        patiently(once, cancelled=cancelled)


def _connect_anew(host: Host, cancelled: Callable[[], bool]) -> None:
    if not isinstance(host, SshHost):
        return
    host.abandon()
    try:
        host.run(["true"], timeout_s=30.0, cancelled=cancelled)
    except TimedOutError as error:
        raise NoConnectionError(str(error)) from error


@contextmanager
def _names_file(names: Sequence[str] | None) -> Iterator[list[str]]:
    if names is None:
        yield []
        return
    with tempfile.NamedTemporaryFile(prefix="sonarstack-names-") as stream:
        # A name may begin with anything, and hold anything but a zero.
        stream.write(b"\0".join(os.fsencode(f"./{name}") for name in names))
        stream.flush()
        yield ["--ignore-times", "--from0", f"--files-from={stream.name}"]


def _run(
    words: Sequence[str], cancelled: Callable[[], bool], tell: Callable[[int], None]
) -> tuple[int, list[str]]:
    """Exit code and what it complained of."""
    process = start_program(words)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.close()
    done, complaints = Latest(), Latest()
    readers = [
        threading.Thread(target=done.follow, args=(process.stdout,), daemon=True),
        threading.Thread(target=complaints.follow, args=(process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        while True:
            try:
                process.wait(LOOK_S)
            except subprocess.TimeoutExpired:
                if cancelled():
                    raise CancelledError("the copying was cancelled; what has arrived is kept") from None
            tell(done.bytes())
            if process.returncode is not None:
                break
        for reader in readers:
            reader.join(LOOK_S * 10)
    finally:
        if process.returncode is None:
            process.terminate()
        for reader in readers:  # a stream that is read must not be closed under its reader
            reader.join(LOOK_S * 10)
        end_program(process)
    return process.returncode, complaints.text().strip().splitlines()


class Latest:
    """The end of what a program prints: its newest figures, or its last complaints."""

    KEPT = 20_000

    def __init__(self) -> None:
        self._bytes = b""

    def follow(self, stream: IO[bytes]) -> None:
        """Read to the end; of more than `KEPT` bytes the last ones stay."""
        while part := os.read(stream.fileno(), 65536):
            self._bytes = (self._bytes + part)[-self.KEPT :]

    def text(self) -> str:
        """As text."""
        return self._bytes.decode(errors="replace")

    def bytes(self) -> int:
        """The newest count of bytes; 0 before the first."""
        whole = self._bytes.replace(b"\n", b"\r").rpartition(b"\r")[0]
        found = DONE.findall(whole or self._bytes)
        return int(re.sub(rb"[.,]", b"", found[-1])) if found else 0


def _problem(host: Host, target: str, code: int, lines: Sequence[str]) -> HostError:
    text = "\n".join(lines)
    where = "this machine" if target.startswith("/") else host.address
    if code == 127 or "command not found" in text:
        return HostError(f"rsync is not installed on {host.address}; install it there")
    if "(28)" in text or "No space left" in text:
        return HostError(f"the disk of {where} is full; free some room, or take a larger one")
    if code == 1 and ("unknown option" in text or "unrecognized option" in text):
        return HostError("rsync here or there is too old; install 3.1 or newer")
    if isinstance(host, SshHost) and (UNVERIFIED in text or NOT_LET_IN.search(text)):
        return host.refused(text)
    said = next((line for line in lines if "rsync" in line), lines[-1] if lines else f"code {code}")
    kind = NoConnectionError if code in CUT else HostError
    return kind(f"copying between here and {host.address} failed: {said}")
