"""Whether the account may run what is wanted, asked before anything is made: new accounts often may run none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.aws.account import explained
from infra.aws.errors import QuotaError
from infra.aws.types import InstanceType, Market, Quota


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A quota as the account has it."""

    quota: Quota
    vcpus: float
    """Of all machines that run at once; what other machines of the account use is not known here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaCheck:
    """Which of the wanted types may run."""

    fit: tuple[InstanceType, ...]
    """In the wanted order."""
    notes: tuple[str, ...]
    """One line for each that may not."""


def check_quota(client: Any, types: Sequence[InstanceType], market: Market, *, region: str) -> QuotaCheck:
    """Ask for each quota that the types stand under (`service-quotas:GetServiceQuota`).

    Args:
        client: of service-quotas, in the machine's region: quotas are a region's.
        types: in the order in which they are tried.
        market: spot and on demand have quotas of their own.
        region: for the console's address.

    Raises:
        QuotaError: none of them may run.
        AccountError: AWS does not tell.
    """
    quotas = {kind.quota(market).code: kind.quota(market) for kind in types}
    allowed = {code: _allowance(client, quota) for code, quota in quotas.items()}
    fit = tuple(kind for kind in types if kind.vcpus <= allowed[kind.quota(market).code].vcpus)
    notes = tuple(
        _too_much(kind, allowed[kind.quota(market).code], region) for kind in types if kind not in fit
    )
    if types and not fit:
        raise QuotaError("; ".join(notes))
    return QuotaCheck(fit=fit, notes=notes)


def _allowance(client: Any, quota: Quota) -> Allowance:
    from botocore.exceptions import ClientError

    with explained(f"quota {quota.code}"):
        try:
            answer = client.get_service_quota(ServiceCode="ec2", QuotaCode=quota.code)
        except ClientError as error:
            # An account that never had it changed has none of its own in some regions.
            if error.response["Error"]["Code"] != "NoSuchResourceException":
                raise
            answer = client.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=quota.code)
    return Allowance(quota=quota, vcpus=float(answer["Quota"]["Value"]))


def _too_much(kind: InstanceType, allowance: Allowance, region: str) -> str:
    quota = allowance.quota
    return (
        f"{kind.name} needs {kind.vcpus} vCPUs and your account may run {allowance.vcpus:g} ({quota.name}, "
        f"{quota.code}, {region}): ask for {kind.vcpus} at "
        f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{quota.code}"
    )
