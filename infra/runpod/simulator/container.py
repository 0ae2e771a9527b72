"""The host's part of a pod: runs its program, keeps its log, starts it again when it ends. A program on its own.

Every descendant stays its descendant, also one that took a session of its own (Linux: PR_SET_CHILD_SUBREAPER), so that
ending a pod ends all that it started. It outlives the simulator, unless it is told who its owner is: without that
process it ends, and runs the words by which it leaves. Arguments: the pod's folder, with container.json.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
TICK_S = 0.05
LONGEST_LINE = 65536
LONGEST_PAUSE_S = 10.0
BORN_WELL_S = 10.0
"""A program that lived so long is started again at once."""


class Log:
    """Lines with the real time at which they came; whoever reads turns it into simulated time."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._rest = b""

    def note(self, source: str, line: str) -> None:
        text = json.dumps({"at": time.time(), "source": source, "line": line})
        os.write(self._file, text.encode() + b"\n")

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self.note("container", line.rstrip(b"\r").decode(errors="replace"))

    def flush(self) -> None:
        if self._rest:
            self.take(b"\n")


def become_subreaper() -> None:
    """Orphans of this pod come to this process instead of the machine's first one; Linux alone has that."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def processes() -> list[tuple[int, int, str]]:
    """Process, parent and state of all processes of this machine."""
    found = []
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                    found.append((int(entry.name), int(fields[1]), fields[0]))
        return found
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)  # noqa: S607
    for line in told.stdout.splitlines():
        pid, parent, state = line.split()[:3]
        found.append((int(pid), int(parent), state[0]))
    return found


def descendants(root: int) -> list[int]:
    """All that live below a process."""
    every = processes()
    below, found = {root}, list[int]()
    while True:
        new = [(pid, state) for pid, parent, state in every if parent in below and pid not in below]
        if not new:
            return found
        below.update(pid for pid, _ in new)
        found += [pid for pid, state in new if state != "Z"]


def kill_below(root: int) -> None:
    """Again and again, since a process may start another while it is killed."""
    while living := descendants(root):
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        bury()
        time.sleep(0.01)


def bury(keep: int | None = None) -> None:
    """Take the exit codes of adopted processes; the own child's is its owner's."""
    while True:
        try:
            done = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if done is None or done.si_pid == keep:
                return
            os.waitpid(done.si_pid, os.WNOHANG)
        except ChildProcessError:
            return


def began(pid: int) -> int:
    """When a process began, in clock ticks after the machine's start; 0 where there is no such process. Linux only."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def look_for_owner(told: dict[str, Any], asked: list[int]) -> None:
    """Whoever lost its owner is asked to end."""
    if not asked and told["owner"] not in (None, os.getppid()):
        asked.append(signal.SIGTERM)


def run_once(told: dict[str, Any], log: Log, asked: list[int]) -> int:
    """The program from start to end; with it ends all that it started. Its exit code."""
    child = subprocess.Popen(  # noqa: S603 the request's own words
        told["argv"],
        cwd=told["cwd"],
        env=told["env"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert child.stdout is not None
    pipe = child.stdout.fileno()
    os.set_blocking(pipe, False)
    until = None
    while child.poll() is None:
        if select.select([pipe], [], [], TICK_S)[0]:
            drain(pipe, log)
        bury(keep=child.pid)
        look_for_owner(told, asked)
        if asked and until is None:
            ask_to_end(child, told, log)
            until = time.monotonic() + told["grace_s"]
        if until is not None and time.monotonic() >= until:
            child.kill()
    drain(pipe, log)
    kill_below(os.getpid())
    drain(pipe, log)
    log.flush()
    child.stdout.close()
    return child.returncode


def drain(pipe: int, log: Log) -> None:
    """All that is there; whoever has the other end may be gone."""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(pipe, 65536):
            log.take(data)


def rest(seconds: float, told: dict[str, Any], asked: list[int]) -> None:
    """Wait, unless told to end."""
    until = time.monotonic() + seconds
    while not asked and time.monotonic() < until:
        time.sleep(min(TICK_S, seconds))
        look_for_owner(told, asked)


def ask_to_end(child: "subprocess.Popen[bytes]", told: dict[str, Any], log: Log) -> None:
    """By a signal, or by words of its own where the child is only a way to it."""
    if told["stop"]:
        do(told["stop"], told, log)
    else:
        child.terminate()


def do(words: list[str], told: dict[str, Any], log: Log) -> None:
    done = subprocess.run(words, env=told["env"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        log.note("system", f"{' '.join(words[1:3])}: {done.stderr.strip()}")


def main(folder: Path) -> None:
    asked: list[int] = []
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda number, _: asked.append(number))
    become_subreaper()
    told = json.loads((folder / "container.json").read_text())
    part = folder / "pid.part"
    part.write_text(str(os.getpid()))
    part.replace(folder / "pid")
    log = Log(folder / "log.jsonl")
    rest(told["delay_s"], told, asked)
    pause_s = told["pause_s"]
    while not asked:
        log.note("system", "start container")
        began = time.monotonic()
        try:
            code = run_once(told, log, asked)
        except OSError as error:
            log.note("system", f"container cannot start: {told['argv'][0]}: {error.strerror}")
        else:
            log.note("system", f"container ended with code {code}")
        if not asked:
            pause_s = told["pause_s"] if time.monotonic() - began > BORN_WELL_S else pause_s
            rest(pause_s, told, asked)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
    if told["leave"]:
        do(told["leave"], told, log)
    (folder / "pid").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
