"""Runs a program of this machine with an end in sight: a time limit, and a caller who may want to stop."""

import subprocess
import time
from collections.abc import Callable, Sequence

from infra.errors import HostError
from infra.hosts.host import Completed

LOOK_S = 0.2
GRACE_S = 3.0


class TimedOutError(HostError):
    """A program did not end in its time."""


class CancelledError(HostError):
    """The caller wanted no more of it."""


def run_program(
    argv: Sequence[str],
    *,
    what: str,
    install: str = "install it",
    data: bytes = b"",
    timeout_s: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Completed:
    """Run it to its end; `what` is its name in errors.

    Raises:
        TimedOutError: it took too long, and was ended.
        CancelledError: `cancelled` said so, and it was ended, within a second or `GRACE_S`.
        HostError: it is not installed.
    """
    process = start_program(argv, install=install)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        send: bytes | None = data
        while True:
            try:
                out, err = process.communicate(input=send, timeout=LOOK_S)
                break
            except subprocess.TimeoutExpired:
                send = None
            if cancelled():
                raise CancelledError(f"{what} was cancelled")
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOutError(f"{what} did not end within {timeout_s:g} s")
    finally:
        end_program(process)
    return Completed(code=process.returncode, out=out, err=err.decode(errors="replace").strip())


def start_program(argv: Sequence[str], *, install: str = "install it") -> "subprocess.Popen[bytes]":
    """Start it, its three streams ours.

    A session of its own: Ctrl-C at the terminal reaches us and not it, so that we decide how it ends.

    Raises:
        HostError: it is not installed.
    """
    try:
        return subprocess.Popen(  # noqa: S603 the caller's own words, no shell between
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise HostError(f"{argv[0]} is not installed on this machine; {install}") from error


def end_program(process: "subprocess.Popen[bytes]") -> None:
    """See to it that it is over: asked first, so that it can keep what it has, then killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:  # it left without reading all of its input
                continue
