"""python -m stacks down: the engine's destroy, after which nothing is left."""

import os
from typing import Annotated

import typer

from stacks.verbs import options


def down(
    stack: options.Stack = "local",
    discard: Annotated[
        bool,
        typer.Option("--discard", help="Go on even where the run cannot be brought home: it is lost then."),
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Stop the job with a checkpoint, bring its run home, verify it, and remove everything."""
    from infra.provider.discard import DISCARD
    from stacks.engine import engine_variables, run_engine
    from stacks.live import PROJECT
    from stacks.settings import read_stack_file
    from stacks.verbs.console import say

    settings = read_stack_file(PROJECT, stack)
    variables = engine_variables(PROJECT, settings.target, os.environ)
    variables.pop(DISCARD, None)
    if discard:
        variables[DISCARD] = "1"
    home = _home(stack, variables)
    ask = ["--yes"] if yes else []
    done = run_engine(PROJECT, ["destroy", "--stack", stack, *ask], variables)
    if done.returncode:
        raise typer.Exit(done.returncode)
    say(f"stack {stack} is down" + (f"; its run is in {home}" if home else ""))


def _home(stack: str, variables: dict[str, str]) -> str | None:
    """Asked before the end, after which the stack tells nothing any more."""
    from infra.errors import EngineError
    from stacks.engine import stack_outputs
    from stacks.live import PROJECT

    try:
        return str(stack_outputs(PROJECT, stack, variables).get("home") or "") or None
    except EngineError:
        return None  # never up, or half: destroy has its own say
