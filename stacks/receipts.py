"""What targets that rent tell after an end, and after one that failed: asked of the provider, never of the engine."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from infra.errors import InfraError
from infra.hosts.keys import forget_key
from infra.naming import stamp
from infra.reaping import left_of
from infra.receipt import Left, Receipt, keep_receipt
from stacks.clouds import RENTS, RentedCloud, cloud_of
from stacks.run_home import PROJECT


def stamp_of(stack: str) -> str:
    """The mark of a stack of this project, as its program has it."""
    return stamp(str(yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["name"]), stack)


def receipt_now(
    cloud: RentedCloud,
    stack: str,
    mark: str,
    *,
    worst_case_usd: float | None = None,
    home: Path | None = None,
) -> tuple[Receipt, Path]:
    """Make and keep the receipt of a stack; the stack's SSH key goes where nothing is left that it could open.

    Args:
        cloud: whom to ask.
        stack: its name, or its stamp where nobody knows the name any more.
        mark: its stamp.
        home: of its run, beside which a copy is kept.

    Raises:
        InfraError: the provider cannot be asked.
    """
    receipt = cloud.receipt(stack, mark, worst_case_usd)
    path = keep_receipt(receipt, home)
    if receipt.clean:
        forget_key(mark)
    return receipt, path


def what_bills(stack: str, target: str) -> list[Left]:
    """What of a stack bills at its provider now.

    Raises:
        InfraError: the provider cannot be asked.
    """
    found = cloud_of(target, stack).look(stamp_of(stack))
    return [left_of(one) for one in found if one.bills]


def after_failure(stack: str, target: str, verb: str) -> list[str]:
    """Lines for people after an engine that ended with an error: what bills now, and until when."""
    if target not in RENTS:
        return []
    try:
        bills: Sequence[Left] = what_bills(stack, target)
    except InfraError as error:
        return [
            f"WARNING: what still bills could not be asked ({error}); look with: python -m stacks reap --dry-run"
        ]
    if not bills:
        return [f"nothing of stack {stack} bills at its provider"]
    return [
        f"{verb} failed, and this bills now:",
        *(one.line() for one in bills),
        f"mend what is said above, then `{verb}` again; `python -m stacks reap --install` ends what outlives its lease",
    ]
