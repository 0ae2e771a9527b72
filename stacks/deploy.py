"""From settings to resources: the money first, then the target's own program."""

from importlib import import_module
from typing import Any

import pulumi

from stacks.configs import StackSettings
from stacks.money import money_of


def deploy(settings: StackSettings, stack: str) -> None:
    """Declare what the stack consists of; says before that what it can cost at most.

    Raises:
        InfraError: what cannot work, before anything is made.
    """
    for line in money_of(settings, stack).lines():
        pulumi.log.info(line)
    target_module(settings.target).deploy(settings, stack)


def target_module(target: str) -> Any:
    """The module that says what a target consists of; imported late, each brings its provider's packages."""
    return import_module(f"stacks.{target}")
