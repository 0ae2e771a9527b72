"""The Runpod target. So far its settings and its money; the pod itself is not built yet."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.budget import Rates
from infra.errors import SettingsError
from stacks.configs import RunpodSettings

DISK_USD_PER_GIB_MONTH = 0.10
VOLUME_USD_PER_GIB_MONTH = 0.07
"""Container disk, and network volume below 1 TB. Source: docs.runpod.io pods/pricing, read 2026-11-22."""
BRING_HOME_USD = 0.05
"""Ceiling for the short CPU pod that reads the volume at the end; a quarter of an hour at $0.20."""
NOT_YET = "target runpod can be planned and compared, not yet rented; `up` works for target local"


def rates(settings: RunpodSettings) -> Rates:
    """What its parts cost while they are there."""
    return Rates(
        machine_usd_per_h=settings.max_usd_per_h,
        disk_gib=settings.disk_gib,
        disk_usd_per_gib_month=DISK_USD_PER_GIB_MONTH,
        volume_gib=settings.volume_gib,
        volume_usd_per_gib_month=VOLUME_USD_PER_GIB_MONTH,
        bring_home_usd=BRING_HOME_USD if settings.volume_gib else 0.0,
    )


def deploy(settings: RunpodSettings, stack: str) -> None:
    """Refuse, before anything is rented.

    Raises:
        SettingsError: always, until the pod's components exist.
    """
    raise SettingsError(NOT_YET)


def program_to_plan(settings: RunpodSettings, stack: str) -> tuple[Callable[[], None], list[str]]:
    """No resources yet."""
    return lambda: None, [NOT_YET]


def describe(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """Facts of one resource."""
    return []
