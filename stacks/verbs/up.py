"""python -m stacks up: the engine's up, with everything it needs in place."""

import os
from typing import Annotated

import typer

from stacks.verbs import options


def up(
    stack: options.Stack = "local",
    set_: options.Set = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay to the job's end, and fail with it.")] = False,
    yes: options.Yes = False,
) -> None:
    """Bring a stack up: look at the settings and the money first, then make what is missing."""
    from stacks.engine import engine_variables, run_engine
    from stacks.live import PROJECT
    from stacks.money import money_of
    from stacks.settings import parse_words, read_stack_file
    from stacks.verbs.console import say

    words = [*(set_ or []), *(["wait=true"] if wait else [])]
    settings = read_stack_file(PROJECT, stack, words)
    money_of(settings)  # refused here, before the engine starts
    variables = engine_variables(PROJECT, settings.target, os.environ)
    select = run_engine(
        PROJECT, ["stack", "select", "--create", stack, "--non-interactive"], variables, quiet=True
    )
    if select.returncode:
        say(select.stderr.strip())
        raise typer.Exit(select.returncode)
    # The engine writes them into the stack's file, so that the next up means the same job.
    changes = [word for key, value in parse_words(words).items() for word in ("--config", f"{key}={value}")]
    ask = ["--yes"] if yes else []
    done = run_engine(PROJECT, ["up", "--stack", stack, *ask, *changes], variables)
    if done.returncode:
        raise typer.Exit(done.returncode)
    say(f"next: python -m stacks watch {stack} (how far it is), logs {stack} -f, pull {stack}, down {stack}")
