"""Runpod, as the verbs ask it."""

import os
from collections.abc import Iterator, Sequence

from infra.reaping import Reaped
from infra.receipt import Receipt
from infra.runpod.account import account_address, open_account
from infra.runpod.guard import Finding
from infra.runpod.leftovers import end_leftovers
from infra.runpod.reaper import look, reap
from infra.runpod.receipt import receipt_of


class RunpodCloud:
    """See `RentedCloud`; the account is the key's."""

    def __init__(self) -> None:
        self.simulated = False

    @property
    def address(self) -> str:
        """See `RentedCloud.address`."""
        return account_address()

    def look(self, stamp: str | None = None, *, remove_volumes: bool = False) -> list[Finding]:
        """See `RentedCloud.look`."""
        with open_account() as renter:
            found = look(renter, stamp=stamp, remove_volumes=remove_volumes)
            self.simulated = renter.client.simulated
        return found

    def reap(self, findings: Sequence[Finding]) -> Iterator[Reaped[Finding]]:
        """See `RentedCloud.reap`."""
        with open_account() as renter:
            yield from reap(renter, findings)

    def receipt(self, stack: str, stamp: str, worst_case_usd: float | None) -> Receipt:
        """See `RentedCloud.receipt`."""
        with open_account() as renter:
            return receipt_of(renter, stack=stack, stamp=stamp, worst_case_usd=worst_case_usd)

    def end_leftovers(self, stamp: str) -> list[str]:
        """See `RentedCloud.end_leftovers`."""
        with open_account() as renter:
            return end_leftovers(renter, stamp)


def has_key() -> bool:
    """Whether Runpod can be asked from here."""
    return bool(os.environ.get("RUNPOD_API_KEY"))
