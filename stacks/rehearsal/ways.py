"""The two ways to bring a stack up: Pulumi's engine, or our plugin alone over its protocol."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from infra.errors import EngineError
from stacks.engine import find_engine, stack_outputs
from stacks.rehearsal.ground import PROJECT, STACK, Ground

Choice = Literal["auto", "pulumi", "protocol"]
Say = Callable[[str], None]
LEAVES_WITHIN_S = 15.0
CALM = ("--suppress-outputs", "--suppress-progress", "--suppress-permalink=true")
LINKED = ("app", "images", "infra", "stacks", "__main__.py", "Pulumi.yaml", "pyproject.toml", "README.md")
"""What the engine and its program need of the project, as links in a folder of its own."""


class Way(Protocol):
    """One of them."""

    name: str

    def run(self, verb: Literal["up", "refresh", "destroy"], say: Say) -> int:
        """Its exit code; its lines go to `say`."""

    def outputs(self) -> dict[str, Any]:
        """What the last up told."""


class Engine:
    """The real pulumi program, in a project folder of its own."""

    def __init__(self, program: Path, ground: Ground, variables: Mapping[str, str]) -> None:
        # The language host must be found beside it, whatever PATH says.
        path = f"{program.parent}{os.pathsep}{variables.get('PATH', os.defpath)}"
        self._program, self._folder = program, ground.folder
        self._variables = {**variables, "PATH": path}
        done = subprocess.run(  # noqa: S603 the program that was found
            [str(program), "version"], capture_output=True, text=True, env=self._variables, check=False
        )
        self.name = f"the real engine (pulumi {done.stdout.strip()}, {program})"
        for name in LINKED:
            (self._folder / name).symlink_to(PROJECT / name)
        (self._folder / ".venv").symlink_to(Path(sys.prefix))
        self._made = False

    def run(self, verb: Literal["up", "refresh", "destroy"], say: Say) -> int:
        """See `Way.run`."""
        if not self._made:
            code = self._pulumi(["stack", "select", "--create", STACK], say)
            if code:
                return code
            self._made = True
        return self._pulumi([verb, "--yes", "--skip-preview", "--stack", STACK, *CALM], say)

    def outputs(self) -> dict[str, Any]:
        """See `Way.outputs`."""
        return stack_outputs(self._folder, STACK, self._variables)

    def _pulumi(self, words: Sequence[str], say: Say) -> int:
        command = [str(self._program), *words, "--non-interactive", "--color", "never"]
        return run_shown(command, self._folder, self._variables, say)


class WithoutEngine:
    """The plugin in the order of the stack's resources."""

    name = "without the engine (our plugin over its protocol, in the order of the stack's resources)"

    def __init__(self, ground: Ground, variables: Mapping[str, str]) -> None:
        self._folder, self._variables = ground.folder, variables

    def run(self, verb: Literal["up", "refresh", "destroy"], say: Say) -> int:
        """See `Way.run`."""
        command = [sys.executable, "-m", "stacks.without_engine", verb, str(self._folder), STACK]
        return run_shown(command, PROJECT, self._variables, say)

    def outputs(self) -> dict[str, Any]:
        """See `Way.outputs`."""
        from stacks.without_engine.verbs import outputs_of

        return outputs_of(self._folder, STACK)


def choose_way(choice: Choice, ground: Ground, variables: Mapping[str, str]) -> Way:
    """The engine where it is found, unless something else was asked for.

    Raises:
        EngineError: the engine was asked for and is missing.
    """
    if choice == "protocol":
        return WithoutEngine(ground, variables)
    try:
        return Engine(find_engine(PROJECT, os.environ), ground, variables)
    except EngineError:
        if choice == "pulumi":
            raise
        return WithoutEngine(ground, variables)


def run_shown(command: Sequence[str], folder: Path, variables: Mapping[str, str], say: Say) -> int:
    """Run a program, a line of its output at a time; whatever ends us ends it first, with a chance to put away.

    In a session of its own, so that Ctrl-C reaches it once, from here.
    """
    process = subprocess.Popen(  # noqa: S603 our own words
        command,
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip():
                say(line.rstrip())
        return process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        process.stdout.close()


def _end(process: "subprocess.Popen[str]") -> None:
    """Cancel, wait, and make sure."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(LEAVES_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
