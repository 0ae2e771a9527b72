"""Azure, as the verbs ask it: one subscription at one place."""

from collections.abc import Iterator, Sequence
from typing import Self

from infra.azure.account import who_am_i
from infra.azure.arm import Arm
from infra.azure.names import account_name
from infra.azure.reaper import Finding, end_leftovers, look, reap
from infra.azure.receipt import receipt_of
from infra.reaping import Reaped
from infra.receipt import Receipt
from stacks.run_home import PROJECT


class AzureCloud:
    """See `RentedCloud`; who asks, the user's own log-in says."""

    simulated = False

    def __init__(self, subscription_id: str, location: str, *, keep_bucket: bool = True) -> None:
        """`keep_bucket`: whether what is left of the storage is meant to be."""
        self._subscription_id, self._location, self._keep_bucket = subscription_id, location, keep_bucket

    @classmethod
    def of_stack(cls, stack: str) -> Self:
        """See `MachineCloud.of_stack`."""
        from stacks.configs import AzureSettings
        from stacks.settings import read_stack_file

        settings = read_stack_file(PROJECT, stack)
        assert isinstance(settings, AzureSettings)
        with Arm() as arm:
            me = who_am_i(arm, settings.subscription)
        return cls(me.subscription_id, settings.location, keep_bucket=settings.keep_bucket)

    @classmethod
    def of_account(cls, account: str) -> Self:
        """As the journal names it: azure:ID:LOCATION."""
        _, subscription_id, location = account.split(":")
        return cls(subscription_id, location)

    @property
    def address(self) -> str:
        """See `RentedCloud.address`."""
        return account_name(self._subscription_id, self._location)

    def look(self, stamp: str | None = None, *, remove_volumes: bool = False) -> list[Finding]:
        """See `RentedCloud.look`; there are no volumes that outlive a machine."""
        with Arm() as arm:
            return look(arm, self._subscription_id, self._location, self.address, stamp=stamp)

    def reap(self, findings: Sequence[Finding]) -> Iterator[Reaped[Finding]]:
        """See `RentedCloud.reap`."""
        with Arm() as arm:
            yield from reap(arm, findings, self.address)

    def receipt(self, stack: str, stamp: str, worst_case_usd: float | None) -> Receipt:
        """See `RentedCloud.receipt`."""
        with Arm() as arm:
            return receipt_of(
                arm,
                self._subscription_id,
                self._location,
                stack=stack,
                stamp=stamp,
                keep_bucket=self._keep_bucket,
                worst_case_usd=worst_case_usd,
            )

    def end_leftovers(self, stamp: str) -> list[str]:
        """See `RentedCloud.end_leftovers`."""
        with Arm() as arm:
            return end_leftovers(arm, self._subscription_id, stamp)
