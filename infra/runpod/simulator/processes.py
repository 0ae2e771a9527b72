"""Pods as processes of this machine: each has a folder here, and a process that keeps it (container.py)."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from infra.runpod.simulator import container, paths
from infra.runpod.simulator.assumptions import follows

ID_VARIABLE = "RUNPOD_POD_ID"
KEEPER = Path(container.__file__)
PAUSE_S = 0.5
"""Before a program that ended is started again; doubles while it keeps ending."""


class Processes:
    """All pods' processes.

    Args:
        folder: of all pods.
        grace_s: how long a program has between SIGTERM and SIGKILL.
        allowed: what mount paths must lie in.
    """

    def __init__(self, folder: Path, grace_s: float, *, allowed: Path) -> None:
        self._folder, self._grace_s, self._allowed = folder, grace_s, allowed
        self._ours: dict[str, subprocess.Popen[bytes]] = {}
        self._seconds: dict[str, tuple[float, float]] = {}

    def folder(self, pod_id: str) -> Path:
        """Of this pod: disk, persistent, tmp, bin, python, log."""
        return self._folder / pod_id

    @follows("container-restarts")
    def launch(
        self,
        pod_id: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        shown: Mapping[str, Path],
        *,
        delay_s: float = 0.0,
    ) -> None:
        """Start it, from now on kept alive; whatever was left of it is ended first.

        Args:
            shown: paths that it sees to the folders here that they show.
            delay_s: its host is slow by so much.
        """
        self.kill(pod_id)
        for path, target in shown.items():
            paths.link(Path(os.path.normpath(path)), target)
        self.keep(pod_id, argv, env, delay_s=delay_s)

    def keep(self, pod_id: str, argv: Sequence[str], env: Mapping[str, str], **more: object) -> None:
        """Start its keeper; `more` is what else that is told."""
        folder = self.prepare(pod_id)
        told = {
            "argv": list(argv),
            "env": dict(env),
            "cwd": str(folder / "disk"),
            "grace_s": self._grace_s,
            "pause_s": PAUSE_S,
            "delay_s": 0.0,
            "owner": None,
            "stop": [],
            "leave": [],
            **more,
        }
        descriptor = os.open(folder / "container.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(told, stream)
        with (folder / "keeper.log").open("ab") as log:
            self._ours[pod_id] = subprocess.Popen(  # noqa: S603 our own program
                [sys.executable, "-IS", str(KEEPER), str(folder)],
                env={"PATH": os.defpath, ID_VARIABLE: pod_id},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def prepare(self, pod_id: str) -> Path:
        """Its folder with all that must be there."""
        folder = self.folder(pod_id)
        for name in ("disk", "persistent", "tmp", "bin", "python"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def check(self, path: str, target: Path, taken: Iterable[Path]) -> None:
        """Whether a path can show that folder; `taken` are those that other pods have.

        Raises:
            Problem: 400, it cannot be there.
        """
        paths.check(path, self._allowed, target, taken)

    def hide(self, shown: Mapping[str, Path], kept: set[Path]) -> None:
        """A pod's paths show nothing any more, but those that another pod has too."""
        for path, target in shown.items():
            place = Path(os.path.normpath(path))
            if place not in kept:
                paths.unlink(place, target)

    @follows("disk-wiped")
    def wipe(self, pod_id: str) -> None:
        """Empty the container's disk."""
        for name in ("disk", "tmp"):
            shutil.rmtree(self.folder(pod_id) / name, ignore_errors=True)
        self.prepare(pod_id)

    def note(self, pod_id: str, line: str) -> None:
        """A line of the host into the pod's log."""
        container.Log(self.prepare(pod_id) / "log.jsonl").note("system", line)

    def alive(self, pod_id: str) -> bool:
        """Whether its keeper lives, started by us or by an earlier simulator."""
        return self._keeper(pod_id) is not None

    def stop(self, pod_id: str) -> None:
        """Ask it to end; its keeper waits and then kills. Returns at once."""
        keeper = self._keeper(pod_id)
        if keeper is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                keeper.send_signal(signal.SIGTERM)

    @follows("terminate-is-kill")
    def kill(self, pod_id: str) -> None:
        """End it and all that it started, now."""
        keeper = self._keeper(pod_id)
        if keeper is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                # Stopped first, so that it starts nothing again; it goes on adopting orphans.
                keeper.suspend()
                _kill_below(keeper)
                keeper.kill()
        ours = self._ours.pop(pod_id, None)
        if ours is not None:
            ours.kill()
            ours.wait()
        elif keeper is not None:
            psutil.wait_procs([keeper], timeout=5)
        (self.folder(pod_id) / "pid").unlink(missing_ok=True)
        self._sweep(pod_id)

    def remove(self, pod_id: str) -> None:
        """Kill it and remove its disk."""
        self.kill(pod_id)
        shutil.rmtree(self.folder(pod_id), ignore_errors=True)

    def use(self, pod_id: str) -> tuple[float, float]:
        """Busy cores since the last look, and the share of this machine's memory; 0 at the first look."""
        seconds, memory_bytes = 0.0, 0
        for process in self._running(pod_id):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
                memory_bytes += process.memory_info().rss
        now = time.monotonic()
        before_s, before = self._seconds.get(pod_id, (now, seconds))
        self._seconds[pod_id] = (now, seconds)
        cores = (seconds - before) / (now - before_s) if now > before_s else 0.0
        return max(0.0, cores), memory_bytes / psutil.virtual_memory().total

    def close(self) -> None:
        """No more pods will be asked for."""

    def _running(self, pod_id: str) -> list[psutil.Process]:
        keeper = self._keeper(pod_id)
        return [] if keeper is None else below(keeper)

    def _keeper(self, pod_id: str) -> psutil.Process | None:
        ours = self._ours.get(pod_id)
        if ours is not None:
            if ours.poll() is None:
                return psutil.Process(ours.pid)
            del self._ours[pod_id]
            return None
        folder = self.folder(pod_id)
        try:
            process = psutil.Process(int((folder / "pid").read_text()))
            # Ids are reused: it is the keeper only if it was told this folder.
            ours_too = process.status() != psutil.STATUS_ZOMBIE and process.cmdline()[-1:] == [str(folder)]
        except (OSError, ValueError, psutil.Error):
            return None
        return process if ours_too else None

    def _sweep(self, pod_id: str) -> None:
        """What the keeper did not have below it, such as after its own violent end, is known by its variables."""
        mark = f"{ID_VARIABLE}={pod_id}".encode()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and _has(process, mark):
                    process.kill()


def _has(process: psutil.Process, mark: bytes) -> bool:
    environ = Path(f"/proc/{process.pid}/environ")
    if environ.exists():
        return mark in environ.read_bytes().split(b"\0")
    name, _, value = mark.decode().partition("=")
    return process.environ().get(name) == value


def below(keeper: psutil.Process) -> list[psutil.Process]:
    try:
        return keeper.children(recursive=True)
    except psutil.Error:
        return []


def _kill_below(keeper: psutil.Process) -> None:
    while living := [one for one in below(keeper) if not _is_zombie(one)]:
        for process in living:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(living, timeout=0.05)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
