"""AWS, as the verbs ask it: one account in one region."""

from collections.abc import Iterator, Sequence
from typing import Self

from infra.aws.account import client, who_am_i
from infra.aws.names import account_name
from infra.aws.reaper import Finding, look, reap
from infra.aws.receipt import receipt_of
from infra.reaping import Reaped
from infra.receipt import Receipt
from stacks.run_home import PROJECT


class AwsCloud:
    """See `RentedCloud`; whose account it is, the user's own credentials say."""

    simulated = False

    def __init__(self, account_id: str, region: str, *, keep_bucket: bool = True) -> None:
        """`keep_bucket`: whether what is left of the bucket is meant to be."""
        self._account_id, self._region, self._keep_bucket = account_id, region, keep_bucket

    @classmethod
    def of_stack(cls, stack: str) -> Self:
        """By the stack's settings and the user's credentials.

        Raises:
            InfraError: wrong settings; no credentials.
        """
        from stacks.configs import AwsSettings
        from stacks.settings import read_stack_file

        settings = read_stack_file(PROJECT, stack)
        assert isinstance(settings, AwsSettings)
        me = who_am_i(client("sts", settings.region))
        return cls(me.account_id, settings.region, keep_bucket=settings.keep_bucket)

    @classmethod
    def of_account(cls, account: str) -> Self:
        """As the journal names it: aws:ID:REGION."""
        _, account_id, region = account.split(":")
        return cls(account_id, region)

    @property
    def address(self) -> str:
        """See `RentedCloud.address`."""
        return account_name(self._account_id, self._region)

    def look(self, stamp: str | None = None, *, remove_volumes: bool = False) -> list[Finding]:
        """See `RentedCloud.look`; there are no volumes that outlive a machine."""
        return look(self._region, self.address, stamp=stamp)

    def reap(self, findings: Sequence[Finding]) -> Iterator[Reaped[Finding]]:
        """See `RentedCloud.reap`."""
        return reap(findings, self.address)

    def receipt(self, stack: str, stamp: str, worst_case_usd: float | None) -> Receipt:
        """See `RentedCloud.receipt`."""
        return receipt_of(
            self._region,
            self._account_id,
            stack=stack,
            stamp=stamp,
            keep_bucket=self._keep_bucket,
            worst_case_usd=worst_case_usd,
        )

    def end_leftovers(self, stamp: str) -> list[str]:
        """See `RentedCloud.end_leftovers`: everything is made by the engine, which knows of it."""
        return []
