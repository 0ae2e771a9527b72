"""What a cloud says now of the machine that an output tells of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("group", "vm")
"""Kinds of an output `where` that such a machine is behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineNow:
    """One look."""

    name: str
    """As the journal has its lease."""
    status: str
    """For people: which it is, or why there is none."""
    type_name: str = ""
    price_usd_per_h: float | None = None
    """What it costs now; None where nobody tells, and the ceiling counts."""


def look_now(where: Mapping[str, Any]) -> MachineNow:
    """Ask its cloud.

    Raises:
        InfraError: it does not tell.
    """
    if where["kind"] == "group":
        from infra.aws.now import group_now

        return group_now(where)
    from infra.azure.now import machine_now

    return machine_now(where)


def name_of(where: Mapping[str, Any]) -> str:
    """Of its lease, which is known before any look."""
    return str(where["group"] if where["kind"] == "group" else where["machine"])
