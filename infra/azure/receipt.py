"""A stack's receipt from Azure: what ended by the journal, what its group holds still, what it cost by the bill."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.azure.arm import Arm
from infra.azure.errors import AzureError
from infra.azure.names import account_name, group_name
from infra.azure.owned import BILLING, OwnedPart, owned_billing_parts, owned_parts
from infra.azure.reaper import look, reap
from infra.journal import Journal
from infra.receipt import Receipt
from infra.vm.receipt import part_left, vm_receipt

COSTS = "2023-11-01"
"""Version of Cost Management's API. Source: learn.microsoft.com, rest/api/cost-management/query/usage, 2026-11."""
BILLS_GO_BACK_DAYS = 30
KEPT = {
    "resourcegroups": ("resource group", ""),
    "microsoft.storage/storageaccounts": ("storage account", ""),
    "microsoft.keyvault/vaults": ("vault", "sonar-keys-"),
    "microsoft.managedidentity/userassignedidentities": ("identity", "-encryption"),
}
"""What destroy leaves on purpose where keepBucket is set: kind in small letters, its word, and a part of its name."""
LAGS = frozenset(kind.lower() for kind in (*BILLING, "Microsoft.Compute/virtualMachines"))
"""Kinds of which removed ones are listed for some minutes more; what is there is asked of their own services."""


def receipt_of(
    arm: Arm,
    subscription_id: str,
    location: str,
    *,
    stack: str,
    stamp: str,
    keep_bucket: bool,
    worst_case_usd: float | None = None,
    journal: Journal | None = None,
) -> Receipt:
    """Ask Azure what is left of a stack and what it cost; the journal is brought up to date before.

    Args:
        keep_bucket: whether storage, vault and what opens them were to stay.
        worst_case_usd: what `up` said; the leases' own worst case where None.

    Raises:
        AzureError: Azure cannot be asked, so that nothing may be said of it.
    """
    journal = journal or Journal()
    account = account_name(subscription_id, location)
    found = look(arm, subscription_id, location, account, stamp=stamp, journal=journal)
    list(reap(arm, [one for one in found if one.action == "settle"], account, journal=journal))
    living = [one for one in found if one.bills]
    parts = owned_parts(arm, subscription_id, stamp)
    billing = owned_billing_parts(arm, subscription_id, stamp)
    kept, lagging, rest = _sort(parts, keep_bucket=keep_bucket)
    notes = [f"stays on purpose (keepBucket): {', '.join(kept)}"] if kept else []
    if lagging and not living and not billing:
        notes.append(
            f"Azure lists {len(lagging)} parts for some minutes after their end; no machine, disk, gateway, address or "
            "endpoint is among what there is"
        )
    return vm_receipt(
        "Azure",
        account,
        stack=stack,
        stamp=stamp,
        living=living,
        parts=[part_left(one.kind, one.name, one.id) for one in (*billing, *rest)],
        listed={"machines": len(living), "parts": len(parts)},
        billed=lambda since: _billed(arm, subscription_id, stamp, since, notes),
        worst_case_usd=worst_case_usd,
        notes=notes,
        journal=journal,
    )


def _sort(
    parts: Sequence[OwnedPart], *, keep_bucket: bool
) -> tuple[list[str], list[OwnedPart], list[OwnedPart]]:
    kept, lagging, rest = [], [], []
    for one in parts:
        kind = one.kind.lower()
        word, part = KEPT.get(kind, ("", ""))
        if keep_bucket and word and part in one.name:
            kept.append(f"{word} {one.name}")
        elif kind in LAGS:
            lagging.append(one)
        else:
            rest.append(one)
    return kept, lagging, rest


def _billed(
    arm: Arm, subscription_id: str, stamp: str, since: datetime | None, notes: list[str]
) -> float | None:
    """Dollars of the stack's group, whole days, a day late; None where there are none, or nobody tells."""
    if since is None:
        return None
    today = datetime.now(UTC).date()
    start = max(since.date(), today - timedelta(days=BILLS_GO_BACK_DAYS))
    # Of the subscription, since the group may be gone by now.
    path = f"/subscriptions/{subscription_id}/providers/Microsoft.CostManagement/query"
    named = {"name": "ResourceGroupName", "operator": "In", "values": [group_name(stamp)]}
    try:
        answer = arm.post(
            path,
            COSTS,
            "the bill (Cost Management)",
            {
                "type": "ActualCost",
                "timeframe": "Custom",
                "timePeriod": {"from": f"{start}T00:00:00Z", "to": f"{today}T23:59:59Z"},
                "dataset": {
                    "granularity": "None",
                    "aggregation": {"totalCostUSD": {"name": "CostUSD", "function": "Sum"}},
                    "filter": {"dimensions": named},
                },
            },
        )
        usd = _dollars(answer)
    except AzureError as error:
        notes.append(f"no bill: {error}")
        return None
    if not usd:
        notes.append("the bill of Azure is up to a day late, or your subscription's kind has none by the API")
        return None
    return usd


def _dollars(answer: dict[str, Any] | None) -> float:
    """Sum of the column CostUSD; 0 where there are no rows yet."""
    told = (answer or {}).get("properties") or {}
    rows, names = told.get("rows") or [], [str(one.get("name")) for one in told.get("columns") or ()]
    if not rows:
        return 0.0
    try:
        return sum(float(row[names.index("CostUSD")]) for row in rows)
    except (ValueError, LookupError, TypeError):
        raise AzureError("Cost Management's answer is not as documented") from None
