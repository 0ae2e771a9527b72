"""The clouds that rent to us, as the verbs ask them: what bills, what must end, what it came to. One file a cloud."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from infra.errors import SettingsError
from infra.journal import Journal
from infra.receipt import Receipt

RENTS = ("runpod", "aws")
"""Targets whose provider can be asked here."""


class RentedCloud(Protocol):
    """One account, at one place."""

    @property
    def address(self) -> str:
        """Of the API or of the account, as the journal names it."""

    @property
    def simulated(self) -> bool:
        """Whether all of it is play; known once it was asked."""

    def look(self, stamp: str | None = None, *, remove_volumes: bool = False) -> list[Any]:
        """Findings: what bills and is ours, and what is to be done about it.

        Raises:
            InfraError: the provider cannot be asked.
        """

    def reap(self, findings: Sequence[Any]) -> Iterator[Any]:
        """Do what the findings ask for; what came of each."""

    def receipt(self, stack: str, stamp: str, worst_case_usd: float | None) -> Receipt:
        """What a stack's end came to.

        Raises:
            InfraError: the provider cannot be asked.
        """

    def end_leftovers(self, stamp: str) -> list[str]:
        """End what an `up` that was killed left empty, and no state knows of; its names."""


def cloud_of(target: str, stack: str | None = None) -> RentedCloud:
    """The cloud that a target rents from; the region, where it has one, by the stack's settings.

    Raises:
        SettingsError: the target rents nothing; or its settings are wrong.
    """
    if target == "runpod":
        from stacks.clouds.runpod import RunpodCloud

        return RunpodCloud()
    if target == "aws":
        from stacks.clouds.aws import AwsCloud

        return AwsCloud.of_stack(stack or target)
    raise SettingsError(f"target {target} rents nothing; {' and '.join(RENTS)} do")


def clouds_to_reap(target: str | None) -> list[RentedCloud]:
    """Those of a target; without one Runpod, and every account of AWS where this machine's journal knows of a lease."""
    if target not in (None, *RENTS):
        raise SettingsError(f"{target} rents nothing; {' and '.join(RENTS)} do")
    known = [lease.account for lease in Journal().leases() if lease.cloud == "aws" and lease.ended_at is None]
    if target == "runpod" or (target is None and not known):
        return [cloud_of("runpod")]
    from stacks.clouds.aws import AwsCloud
    from stacks.clouds.runpod import RunpodCloud, has_key

    found: list[RentedCloud] = [AwsCloud.of_account(account) for account in dict.fromkeys(known)]
    if target is None and has_key():
        found.insert(0, RunpodCloud())
    return found or [cloud_of("aws")]
