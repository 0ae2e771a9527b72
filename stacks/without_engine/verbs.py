"""up, refresh, destroy of a stack whose settings and state lie in one folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacks.deploy import deploy
from stacks.settings import read_stack_file
from stacks.without_engine.monitor import Monitor, run_program
from stacks.without_engine.plugin import open_plugin
from stacks.without_engine.state import State
from stacks.without_engine.steps import Steps

PROJECT_NAME = "sonarstack"
"""As Pulumi.yaml has it: names and stamps hang on it."""
Say = Callable[[str], None]


def up(folder: Path, stack: str, say: Say) -> None:
    """Make what the settings in Pulumi.STACK.yaml ask for.

    Raises:
        InfraError: settings, program or plugin refuse; what was made stands in the state.
    """
    settings = read_stack_file(folder, stack)
    up_program(lambda: deploy(settings, stack), folder, stack, say)


def up_program(program: Callable[[], None], folder: Path, stack: str, say: Say) -> None:
    """Make what a program asks for. See `up`."""
    state = state_of(folder, stack)
    with open_plugin() as plugin:
        steps = Steps(plugin, state, say)
        monitor = Monitor(steps, state, PROJECT_NAME, stack)
        run_program(program, monitor, project=PROJECT_NAME, stack=stack, say=say)
        steps.drop_unregistered()


def refresh(folder: Path, stack: str, say: Say) -> None:
    """Look at everything that was made. See `up`."""
    with open_plugin() as plugin:
        Steps(plugin, state_of(folder, stack), say).refresh()


def destroy(folder: Path, stack: str, say: Say) -> None:
    """Delete everything, dependents first, and stop at the first refusal. See `up`."""
    with open_plugin() as plugin:
        Steps(plugin, state_of(folder, stack), say).destroy()


def state_of(folder: Path, stack: str) -> State:
    """What was made so far."""
    return State(folder / f"{stack}.without-engine.json")


def outputs_of(folder: Path, stack: str) -> dict[str, Any]:
    """What the last `up` told; empty before it and after `destroy`."""
    return state_of(folder, stack).outputs
