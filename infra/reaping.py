"""What every cloud's guard finds and does, as receipts and verbs take it; the findings themselves are each cloud's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from infra.receipt import Left


class Finding(Protocol):
    """One thing of ours at a provider, and what is to be done about it."""

    @property
    def action(self) -> str:
        """end, remove, keep, warn, settle or drop; not every cloud has all."""

    @property
    def kind(self) -> str:
        """Such as pod, volume, group."""

    @property
    def name(self) -> str:
        """Ours."""

    @property
    def id(self) -> str:
        """The provider's; empty while nobody knows it."""

    @property
    def stamp(self) -> str:
        """Of its stack."""

    @property
    def gpu(self) -> str:
        """Empty for what has none."""

    @property
    def usd_per_h(self) -> float:
        """What it bills now."""

    @property
    def lease_until(self) -> datetime | None:
        """None for what bills until somebody removes it."""

    @property
    def reason(self) -> str:
        """Why it is to be ended, or why it lives."""

    @property
    def bills(self) -> bool:
        """Whether the provider takes money for it."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""


F = TypeVar("F", bound=Finding, covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaped(Generic[F]):
    """What came of a finding that asked for something."""

    finding: F
    error: str = ""
    """Empty when it was done."""


def left_of(one: Finding) -> Left:
    """A finding as a receipt has it."""
    return Left(
        kind=one.kind,
        name=one.name,
        id=one.id,
        usd_per_h=one.usd_per_h,
        until=one.lease_until,
        reason=one.reason,
    )
