"""Whether the subscription may run what is wanted, asked before anything is made: new ones often may run no GPU.

Source: learn.microsoft.com, rest/api/compute/usage/list, and azure/virtual-machines/quotas (2026-11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.azure.arm import Arm
from infra.azure.errors import QuotaError
from infra.azure.sizes import SPOT_QUOTA, Market, Size

VERSION = "2024-07-01"
REGIONAL = "cores"
"""Everything on demand of a region together."""
PAGE = "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A quota as the subscription has it."""

    name: str
    """For people."""
    limit: int
    """Virtual CPUs of all machines that run at once."""
    used: int

    @property
    def free(self) -> int:
        """What is left of it."""
        return self.limit - self.used


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaCheck:
    """Which of the wanted sizes may run."""

    fit: tuple[Size, ...]
    """In the wanted order."""
    notes: tuple[str, ...]
    """One line for each that may not."""


def check_quota(
    arm: Arm,
    subscription_id: str,
    location: str,
    sizes: Sequence[Size],
    market: Market,
    *,
    families: Mapping[str, str] | None = None,
) -> QuotaCheck:
    """Hold each size against every quota that it stands under.

    Args:
        families: size to family as the service names it, where it was asked; the table's counts otherwise.

    Raises:
        QuotaError: none of them may run.
        AzureError: Azure does not tell.
    """
    allowed = allowances(arm, subscription_id, location)
    notes = {size.name: _too_much(size, market, allowed, location, families or {}) for size in sizes}
    fit = tuple(size for size in sizes if not notes[size.name])
    told = tuple(note for note in notes.values() if note)
    if sizes and not fit:
        raise QuotaError("; ".join(told))
    return QuotaCheck(fit=fit, notes=told)


def allowances(arm: Arm, subscription_id: str, location: str) -> dict[str, Allowance]:
    """Every quota of a region, by a name that spelling does not change.

    Raises:
        AzureError: Azure does not tell.
    """
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/locations/{location}/usages"
    return {
        _plain(str(row["name"]["value"])): Allowance(
            name=str(row["name"].get("localizedValue") or row["name"]["value"]),
            limit=int(row["limit"]),
            used=int(row["currentValue"]),
        )
        for row in arm.items(path, VERSION, f"quotas in {location}")
    }


def _too_much(
    size: Size, market: Market, allowed: Mapping[str, Allowance], location: str, families: Mapping[str, str]
) -> str:
    family = families.get(size.name, size.family)
    names = (SPOT_QUOTA,) if market == "spot" else (family, REGIONAL)
    for name in names:
        # A quota that is not listed was never given.
        one = allowed.get(_plain(name), Allowance(name=name, limit=0, used=0))
        if size.vcpus > one.free:
            return (
                f"{size.name} needs {size.vcpus} vCPUs and your subscription may run {one.free} more ({one.name}, "
                f"{one.used} of {one.limit} used, {location}): ask for {size.vcpus + one.used} at {PAGE}"
            )
    return ""


def _plain(name: str) -> str:
    """Azure spells families with and without blanks and capitals, each service in its own way."""
    return name.replace(" ", "").replace("_", "").lower()
