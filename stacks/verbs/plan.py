"""python -m stacks plan: what a target consists of and can cost, without engine, account or network."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacks.verbs import options

if TYPE_CHECKING:
    from rich.tree import Tree

    from infra.budget import WorstCase
    from stacks.mock_run import Declared

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What `up` would make, and the most it can cost."""

    target: str
    stack: str
    resources: tuple["Declared", ...]
    """Parents before children."""
    facts: dict[str, list[str]]
    """By urn: what is open, encrypted, allowed."""
    money: "WorstCase"
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "target": self.target,
            "stack": self.stack,
            "resources": [
                {
                    "name": one.name,
                    "type": one.token,
                    "urn": one.urn,
                    "parent": one.parent,
                    "facts": self.facts[one.urn],
                    "inputs": dict(one.inputs),
                }
                for one in self.resources
            ],
            "money": self.money.as_dict(),
            "warnings": list(self.warnings),
        }


def plan(
    stack: options.Stack = "local",
    set_: options.Set = None,
    as_json: options.Json = False,
) -> None:
    """Show what a target consists of and what it can cost at most; needs no engine, account or network."""
    from stacks.verbs.console import say, say_json

    made = make_plan(stack, set_ or [])
    if as_json:
        say_json(made.as_dict())
    else:
        say(_tree(made))
        for line in (*made.money.lines(), *(f"warning: {w}" for w in made.warnings)):
            say(line)


def make_plan(stack: str, overrides: list[str], *, folder: Path = PROJECT) -> Plan:
    """Run the target's program under mocks.

    Raises:
        InfraError: settings or program refuse.
    """
    from stacks.deploy import target_module
    from stacks.mock_run import declare
    from stacks.money import money_of
    from stacks.settings import read_stack_file

    settings = read_stack_file(folder, stack, overrides)
    with _no_collecting():
        module = target_module(settings.target)
        program, warnings = module.program_to_plan(settings, stack)
        declared = declare(program, project="sonarstack", stack=stack)
    return Plan(
        target=settings.target,
        stack=stack,
        resources=tuple(declared),
        facts={one.urn: module.describe(one.token, one.inputs) for one in declared},
        money=money_of(settings, stack),
        warnings=tuple(warnings),
    )


@contextmanager
def _no_collecting() -> Iterator[None]:
    """A provider's package makes some hundred thousand objects that stay; looking through them again and again for
    garbage takes a tenth of the whole (0.25 of 2.5 s for AWS)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _tree(made: Plan) -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(
        Text(f"stack {made.stack}: target {made.target}, {len(made.resources)} resources", style="bold")
    )
    nodes: dict[str, Tree] = {}
    for one in made.resources:
        kind = one.token.rsplit(":", 1)[-1]
        node = nodes.get(one.parent, root).add(Text.assemble((one.name, "bold"), f"  {kind}"))
        nodes[one.urn] = node
        for fact in made.facts[one.urn]:
            node.add(Text(fact, style="dim"))
    return root
