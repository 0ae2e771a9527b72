"""The clouds that rent to us, as the verbs ask them: what bills, what must end, what it came to. One file a cloud."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self

from infra.errors import SettingsError
from infra.journal import Journal
from infra.reaping import Finding, Reaped
from infra.receipt import Receipt

RENTS = ("runpod", "aws", "azure")
"""Targets whose provider can be asked here."""


class RentedCloud(Protocol):
    """One account, at one place."""

    @property
    def address(self) -> str:
        """Of the API or of the account, as the journal names it."""

    @property
    def simulated(self) -> bool:
        """Whether all of it is play; known once it was asked."""

    def look(self, stamp: str | None = None, *, remove_volumes: bool = False) -> Sequence[Finding]:
        """What bills and is ours, and what is to be done about it.

        Raises:
            InfraError: the provider cannot be asked.
        """

    def reap(self, findings: Sequence[Any]) -> Iterator[Reaped[Finding]]:
        """Do what the findings of its own `look` ask for; what came of each."""

    def receipt(self, stack: str, stamp: str, worst_case_usd: float | None) -> Receipt:
        """What a stack's end came to.

        Raises:
            InfraError: the provider cannot be asked.
        """

    def end_leftovers(self, stamp: str) -> list[str]:
        """End what an `up` that was killed left empty, and no state knows of; its names."""


class MachineCloud(RentedCloud, Protocol):
    """One whose own Pulumi provider rents virtual machines, in an account and at a place."""

    @classmethod
    def of_stack(cls, stack: str) -> Self:
        """By the stack's settings and the user's credentials.

        Raises:
            InfraError: wrong settings; no credentials.
        """

    @classmethod
    def of_account(cls, account: str) -> Self:
        """As the journal names it."""


def cloud_of(target: str, stack: str | None = None) -> RentedCloud:
    """The cloud that a target rents from; the region, where it has one, by the stack's settings.

    Raises:
        SettingsError: the target rents nothing; or its settings are wrong.
    """
    if target == "runpod":
        from stacks.clouds.runpod import RunpodCloud

        return RunpodCloud()
    if target in RENTS:
        return _machine_cloud(target).of_stack(stack or target)
    raise SettingsError(f"target {target} rents nothing; {', '.join(RENTS)} do")


def clouds_to_reap(target: str | None) -> list[RentedCloud]:
    """Those of a target; without one every account where this machine's journal knows of a lease.

    Without a target Runpod is asked too where there is a key to it: other machines may have rented with that.

    Raises:
        SettingsError: the target rents nothing.
    """
    _refuse_unrented(target)
    known = {
        account: cloud
        for account, cloud in _open_accounts().items()
        if cloud in RENTS[1:] and target in (None, cloud)
    }
    found: list[RentedCloud] = [_machine_cloud(cloud).of_account(account) for account, cloud in known.items()]
    if target not in (None, "runpod"):
        return found or [cloud_of(target)]
    from stacks.clouds.runpod import RunpodCloud, has_key

    if target == "runpod" or has_key() or "runpod" in _open_accounts().values():
        found.insert(0, RunpodCloud())
    return found


def needs_runpod(target: str | None) -> bool:
    """Whether what is to be looked after is Runpod's, by the target; without one, unless all open leases are elsewhere.

    Raises:
        SettingsError: the target rents nothing.
    """
    _refuse_unrented(target)
    rented = set(_open_accounts().values())
    return target == "runpod" or (target is None and (not rented or "runpod" in rented))


def _open_accounts() -> dict[str, str]:
    """Account to cloud, of the leases that nobody has seen end."""
    return {lease.account: lease.cloud for lease in Journal().leases() if lease.ended_at is None}


def _refuse_unrented(target: str | None) -> None:
    if target not in (None, *RENTS):
        raise SettingsError(f"{target} rents nothing; {', '.join(RENTS)} do")


def _machine_cloud(target: str) -> type[MachineCloud]:
    if target == "aws":
        from stacks.clouds.aws import AwsCloud

        return AwsCloud
    from stacks.clouds.azure import AzureCloud

    return AzureCloud
