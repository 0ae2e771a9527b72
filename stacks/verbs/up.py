"""python -m stacks up: the engine's up, with everything it needs in place."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from stacks.verbs import options


def up(
    stack: options.Stack = "local",
    set_: options.Set = None,
    gpu_type: Annotated[
        list[str] | None,
        typer.Option(
            "--gpu-type", metavar="NAME", help="GPU that would do, such as 'RTX 4090'; repeat for more."
        ),
    ] = None,
    bid_price: Annotated[
        float | None,
        typer.Option("--bid-price", metavar="USD", help="Highest price per hour (sets maxUsdPerH)."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay to the job's end, and fail with it.")] = False,
    yes: options.Yes = False,
) -> None:
    """Bring a stack up: look at the settings and the money first, then make what is missing."""
    from stacks.clouds import RENTS
    from stacks.deploy import target_module
    from stacks.engine import engine_variables, run_engine
    from stacks.live import PROJECT
    from stacks.money import money_of
    from stacks.policy_pack import pack_words
    from stacks.receipts import after_failure
    from stacks.run_home import data_folder
    from stacks.settings import parse_words, read_stack_file
    from stacks.verbs.console import say

    words = _words(set_, gpu_type, bid_price, wait=wait)
    settings = read_stack_file(PROJECT, stack, words)
    worst = money_of(settings, stack)  # refused here, before the engine starts
    rents = settings.target in RENTS
    if rents:
        target_module(settings.target).refuse_unprepared(settings)
    variables = engine_variables(PROJECT, settings.target, os.environ)
    rules = pack_words(PROJECT, settings.target)
    if rents:
        _look_at_account(settings.target, stack)
    else:
        data_folder(settings)
    for line in worst.lines():
        say(line)
    select = run_engine(
        PROJECT, ["stack", "select", "--create", stack, "--non-interactive"], variables, quiet=True
    )
    if select.returncode:
        say(select.stderr.strip())
        raise typer.Exit(select.returncode)
    # The engine writes them into the stack's file, so that the next up means the same job.
    changes = [word for key, value in parse_words(words).items() for word in ("--config", f"{key}={value}")]
    ask = ["--yes"] if yes else []
    done = run_engine(PROJECT, ["up", "--stack", stack, *rules, *ask, *changes], variables)
    if done.returncode:
        for line in after_failure(stack, settings.target, "up"):
            say(line)
        raise typer.Exit(done.returncode)
    if rents:
        _tell_machine(stack, settings.target, variables)
    say(f"next: python -m stacks watch {stack} (how far it is), logs {stack} -f, pull {stack}, down {stack}")


def rented_lines(stack: str, outputs: Mapping[str, Any]) -> list[str]:
    """What a stack that rents tells of its machine: price, deadline, ways in."""
    if outputs.get("group") or outputs.get("machine"):
        return machine_lines(stack, outputs)
    pod = outputs.get("pod") or {}
    price, until = outputs.get("priceUsdPerH") or 0, outputs.get("leaseUntil")
    mark = "SIMULATED " if outputs.get("simulated") else ""
    if outputs.get("podStatus") == "ENDED" or not pod or not until:
        return [f"{mark}the pod has ended as planned; nothing was rented"]
    return [
        f"{mark}pod {pod.get('name')}: {pod.get('gpu')} in {pod.get('dataCenter') or 'the community cloud'}, "
        f"${price:.2f} an hour",
        f"deadline: {datetime.fromisoformat(until):%Y-%m-%d %H:%M %Z}; then it ends, whatever it does",
        f"SSH: python -m stacks ssh {stack} (--print for the command itself)",
        f"TensorBoard and Jupyter: python -m stacks ssh {stack} --forward",
    ]


def machine_lines(stack: str, outputs: Mapping[str, Any]) -> list[str]:
    """The same of a cloud's virtual machine."""
    until = datetime.fromisoformat(outputs["leaseUntil"])
    group, machine = outputs.get("group"), outputs.get("machine")
    if group:
        what, whose = f"group {group['name']}: one machine at a time", "AWS"
        way = f"a shell there: python -m stacks ssh {stack} (AWS Systems Manager; no port is open)"
    else:
        assert machine
        what, whose = f"machine {machine['name']}: {machine['size']}", "Azure"
        way = f"a command there: python -m stacks ssh {stack} -- nvidia-smi (run command; no port is open)"
    return [
        f"{what}, ${outputs['priceUsdPerH']:.2f} an hour at most",
        f"deadline: {until:%Y-%m-%d %H:%M %Z}; then {whose}'s own timer ends it, whatever it does",
        f"the run: {outputs['runUrl']}",
        way,
    ]


def _words(
    set_: Sequence[str] | None, gpus: Sequence[str] | None, bid_price: float | None, *, wait: bool
) -> list[str]:
    return [
        *(set_ or []),
        *([f"gpus={json.dumps(list(gpus))}"] if gpus else []),
        *([f"maxUsdPerH={bid_price:g}"] if bid_price is not None else []),
        *(["wait=true"] if wait else []),
    ]


def _look_at_account(target: str, stack: str) -> None:
    """A wrong key is refused here, and what has outlived its lease is told, before more is rented."""
    from stacks.clouds import cloud_of
    from stacks.verbs.console import say

    late = [one for one in cloud_of(target, stack).look() if one.action in ("end", "warn")]
    if late:
        say(
            f"WARNING: {len(late)} of this project bill beyond their lease ({late[0].name} first): "
            "python -m stacks reap --dry-run"
        )


def _tell_machine(stack: str, target: str, variables: Mapping[str, str]) -> None:
    from infra.credentials import read_credentials
    from infra.errors import InfraError
    from infra.schedule import installed
    from stacks.engine import stack_outputs
    from stacks.kept_variables import KEY
    from stacks.live import PROJECT
    from stacks.verbs.console import say

    for line in rented_lines(stack, stack_outputs(PROJECT, stack, variables)):
        say(line)
    if target != "runpod":
        return  # the cloud's own timer ends it from outside
    try:
        # One that was installed for another cloud has no key to this one.
        guarded = bool(installed()) and KEY in read_credentials()
    except InfraError:
        guarded = False
    if not guarded:
        say("nothing ends it from outside yet, should it hang: python -m stacks reap --install")
