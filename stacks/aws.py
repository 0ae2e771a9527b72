"""The AWS target. So far its settings and its money; the instance itself is not built yet."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.budget import Rates
from infra.errors import SettingsError
from stacks.configs import AwsSettings

ENDPOINT_USD_PER_H = 0.01
ENDPOINTS = 10
"""Interface endpoints of the private profile, each about a cent an hour in one zone: ssm, ssmmessages, ec2messages,
logs, monitoring, ecr.api, ecr.dkr, kms, sts, secretsmanager. Source: AWS PrivateLink pricing, us-east-1, 2026-11."""
NOT_YET = "target aws can be planned and compared, not yet rented; `up` works for target local"


def rates(settings: AwsSettings) -> Rates:
    """What its parts cost while they are there."""
    return Rates(
        machine_usd_per_h=settings.max_usd_per_h,
        network_usd_per_h=ENDPOINTS * ENDPOINT_USD_PER_H if settings.network == "private" else 0.0,
        unpriced=(f"{settings.disk_gib} GiB of gp3 disk", "the bucket's storage", "log storage"),
    )


def deploy(settings: AwsSettings, stack: str) -> None:
    """Refuse, before anything is rented.

    Raises:
        SettingsError: always, until the instance's components exist.
    """
    raise SettingsError(NOT_YET)


def program_to_plan(settings: AwsSettings, stack: str) -> tuple[Callable[[], None], list[str]]:
    """No resources yet."""
    return lambda: None, [NOT_YET]


def describe(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """Facts of one resource."""
    return []
