"""python -m stacks engine: the pulumi program, fetched where it is missing."""

from typing import Annotated

import typer


def engine(
    rules: Annotated[
        bool, typer.Option("--rules", help="Also make the environment of the rules that stop a wrong up.")
    ] = False,
) -> None:
    """Get the pulumi program by Pulumi's own installer, unless it is there."""
    from stacks.engine import install_engine
    from stacks.live import PROJECT
    from stacks.policy_pack import PACK, made_pack
    from stacks.verbs.console import say

    say(f"pulumi: {install_engine(PROJECT)}")
    if rules:
        made_pack(PROJECT)
        say(f"rules: {PACK}")
