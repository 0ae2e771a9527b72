"""What a stack can cost at most, by its settings alone."""

from importlib import import_module

from infra.budget import WorstCase, check, worst_case
from stacks.configs import StackSettings


def money_of(settings: StackSettings) -> WorstCase:
    """The worst case, refused where it is above the stack's own limits.

    Raises:
        SettingsError: it is.
    """
    rates = import_module(f"stacks.{settings.target}").rates(settings)
    worst = worst_case(rates, settings.limits())
    check(worst)
    return worst
