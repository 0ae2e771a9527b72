"""What a stack can cost at most, by its settings, and by what its run has spent before."""

from importlib import import_module

from infra.budget import WorstCase, check, worst_case
from stacks.configs import RunpodSettings, StackSettings
from stacks.run_home import home_of


def money_of(settings: StackSettings, stack: str | None = None) -> WorstCase:
    """The worst case, refused where it is above the stack's own limits.

    Args:
        stack: whose run it is, to count what was spent before; None looks at the settings alone.

    Raises:
        SettingsError: it is.
    """
    rates, limits = import_module(f"stacks.{settings.target}").rates(settings), settings.limits()
    check(worst_case(rates, limits))
    spent_usd = _spent_usd(settings, stack) if stack is not None else 0.0
    return worst_case(rates, limits, spent_usd=spent_usd)


def _spent_usd(settings: StackSettings, stack: str) -> float:
    """By the journal, which is asked where each machine has a lease of its own; elsewhere one lease bounds them all."""
    if not isinstance(settings, RunpodSettings):
        return 0.0
    from infra.journal import Journal
    from infra.runpod.account import account_address
    from stacks.receipts import stamp_of

    return Journal().spent_usd(account_address(), stamp_of(stack), home_of(settings, stack).name)
