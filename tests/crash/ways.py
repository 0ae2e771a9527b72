"""The two ways in which the plugin is driven: by Pulumi's engine, or alone over its protocol. Each can be killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import psutil

from stacks.without_engine.verbs import outputs_of
from tests.crash.ground import STACK, Ground

Verb = Literal["up", "refresh", "destroy"]
Victim = Literal["provider", "engine"]
WITHIN_S = 240.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """How a verb ended."""

    code: int
    text: str

    @property
    def last_words(self) -> str:
        """For a table: the line that says most."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        told = [line for line in lines if "error:" in line.lower() and "update failed" not in line]
        return (told or lines or ["no word"])[-1][:300]


class Way(Protocol):
    """One of them."""

    name: str

    def prepare(self, ground: Ground) -> None:
        """Before the first verb."""

    def command(self, verb: Verb, folder: Path) -> list[str]:
        """What runs it."""

    def after_crash(self, ground: Ground) -> None:
        """What its user must do before the next verb, once it was killed."""

    def outputs(self, ground: Ground) -> dict[str, Any]:
        """What the last `up` told."""


class Plugin:
    """Without the engine: stacks.without_engine stands in for it."""

    name = "protocol"

    def prepare(self, ground: Ground) -> None:
        """Nothing."""

    def command(self, verb: Verb, folder: Path) -> list[str]:
        """See `Way.command`."""
        return [sys.executable, "-m", "stacks.without_engine", verb, str(folder), STACK]

    def after_crash(self, ground: Ground) -> None:
        """Nothing: its state has no lock."""

    def outputs(self, ground: Ground) -> dict[str, Any]:
        """See `Way.outputs`."""
        return outputs_of(ground.folder, STACK)


class Engine:
    """The pulumi program on PATH."""

    name = "engine"

    def prepare(self, ground: Ground) -> None:
        """See `Way.prepare`."""
        _pulumi(ground, "stack", "select", "--create", STACK)

    def command(self, verb: Verb, folder: Path) -> list[str]:
        """See `Way.command`."""
        words = ["pulumi", verb, "--yes", "--skip-preview", "--stack", STACK, "--non-interactive"]
        return [*words, "--color", "never"]

    def after_crash(self, ground: Ground) -> None:
        """The lock of a killed engine stays, and the next verb says so."""
        _pulumi(ground, "cancel", "--yes", "--stack", STACK)

    def outputs(self, ground: Ground) -> dict[str, Any]:
        """See `Way.outputs`."""
        told: dict[str, Any] = json.loads(_pulumi(ground, "stack", "output", "--json", "--stack", STACK))
        return told


class Running:
    """A verb that is on."""

    def __init__(self, way: Way, verb: Verb, ground: Ground) -> None:
        cwd = ground.folder if way.name == "engine" else ground.project
        self._log = ground.folder / "log"
        self._from = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                way.command(verb, ground.folder),
                cwd=cwd,
                env=ground.variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, victim: Victim, plugin: int) -> None:
        """kill -9 of the plugin alone, or of the engine with all it started, the plugin among them."""
        doomed = [plugin]
        if victim == "engine":
            # The engine first: else it would note that its plugin died.
            doomed = [self._process.pid, *self._started(), plugin]
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def plugin(self) -> int:
        """The plugin's process."""
        below = psutil.Process(self._process.pid).children(recursive=True)
        return next(
            one.pid for one in below if any(word.endswith("infra/provider") for word in one.cmdline())
        )

    def wait(self) -> Done:
        """To its end."""
        try:
            code = self._process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill("engine", self._process.pid)
            code = self._process.wait()
        with self._log.open("rb") as log:
            log.seek(self._from)
            return Done(code=code, text=log.read().decode(errors="replace"))

    def _started(self) -> list[int]:
        """All of its session: the engine gives its plugins groups of their own, not sessions."""
        found = []
        for pid in psutil.pids():
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) == self._process.pid and pid != self._process.pid:
                    found.append(pid)
        return found


def _pulumi(ground: Ground, *words: str) -> str:
    done = subprocess.run(
        ["pulumi", *words, "--non-interactive"],
        cwd=ground.folder,
        env=ground.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
