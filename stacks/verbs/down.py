"""python -m stacks down: the engine's destroy, after which nothing is left."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from infra.receipt import Receipt
    from stacks.configs import StackSettings


def down(
    stack: options.Stack = "local",
    discard: Annotated[
        bool,
        typer.Option("--discard", help="Go on even where the run cannot be brought home: it is lost then."),
    ] = False,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """Stop the job with a checkpoint, bring its run home, verify it, and remove everything; then the receipt."""
    from infra.errors import SettingsError
    from infra.provider.discard import DISCARD
    from infra.runs.manifest import RECORD
    from stacks.clouds import RENTS, cloud_of
    from stacks.engine import engine_variables, run_engine
    from stacks.live import PROJECT
    from stacks.receipts import after_failure, stamp_of
    from stacks.settings import read_stack_file
    from stacks.verbs.console import say, say_json

    if as_json and not yes:
        raise SettingsError("--json cannot ask whether to go on; add --yes")
    settings = read_stack_file(PROJECT, stack)
    variables = engine_variables(PROJECT, settings.target, os.environ)
    variables.pop(DISCARD, None)
    if discard:
        variables[DISCARD] = "1"
    home = _home(stack, variables)
    ask = ["--yes"] if yes else []
    done = run_engine(PROJECT, ["destroy", "--stack", stack, *ask], variables, quiet=as_json)
    if done.returncode:
        if as_json:
            sys.stderr.write(f"{done.stdout}{done.stderr}")
        for line in (*_never_up(stack, variables), *after_failure(stack, settings.target, "down")):
            sys.stderr.write(f"{line}\n") if as_json else say(line)
        raise typer.Exit(done.returncode)
    if not as_json:
        there = home is not None and (Path(home) / RECORD).is_file()
        say(f"stack {stack} is down" + (f"; its run is in {home}" if there else ""))
    receipt = None
    if settings.target in RENTS:
        for name in cloud_of(settings.target, stack).end_leftovers(stamp_of(stack)):
            if not as_json:
                say(f"ended: {name}, left by an `up` that was killed")
        receipt = _receipt(stack, settings, home, as_json=as_json)
    if as_json:
        say_json(
            {"stack": stack, "down": True, "home": home, "receipt": receipt.as_dict() if receipt else None}
        )
    if receipt is not None and not receipt.clean:
        raise typer.Exit(1)


def _receipt(stack: str, settings: "StackSettings", home: str | None, *, as_json: bool) -> "Receipt":
    """Asked of the provider; that the engine knows of nothing more proves nothing."""
    from stacks.clouds import cloud_of
    from stacks.receipts import receipt_now, stamp_of
    from stacks.verbs.console import say

    receipt, path = receipt_now(
        cloud_of(settings.target, stack),
        stack,
        stamp_of(stack),
        worst_case_usd=_worst(settings),
        home=Path(home) if home else None,
    )
    if not as_json:
        for line in (*receipt.lines(), f"kept as {path}"):
            say(line)
    return receipt


def _worst(settings: "StackSettings") -> float | None:
    from infra.errors import SettingsError
    from stacks.money import money_of

    try:
        return money_of(settings).capped_lease_usd
    except SettingsError:
        return None  # the file was changed since `up`: the leases tell it


def _never_up(stack: str, variables: dict[str, str]) -> list[str]:
    """What to do where the engine knows no such stack; it says only that."""
    from infra.errors import EngineError
    from stacks.engine import stack_outputs
    from stacks.live import PROJECT

    try:
        stack_outputs(PROJECT, stack, variables)
    except EngineError as error:
        if "no stack named" in str(error):
            return [
                f"stack {stack} was never up from this folder, so nothing is here to end; "
                f"to begin one: python -m stacks up {stack}"
            ]
    return []


def _home(stack: str, variables: dict[str, str]) -> str | None:
    """Asked before the end, after which the stack tells nothing any more."""
    from infra.errors import EngineError
    from stacks.engine import stack_outputs
    from stacks.live import PROJECT

    try:
        return str(stack_outputs(PROJECT, stack, variables).get("home") or "") or None
    except EngineError:
        return None  # never up, or half: destroy has its own say
