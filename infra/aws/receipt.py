"""A stack's receipt from AWS: what ended by the journal, what is left by the tags, what it cost by Cost Explorer."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from infra.aws.account import client, explained
from infra.aws.errors import AwsError
from infra.aws.names import account_name
from infra.aws.owned import STAMP, arns_of_kind, owned_arns, owned_billing_parts
from infra.aws.reaper import look, reap
from infra.journal import Journal
from infra.receipt import Left, Receipt
from infra.vm.receipt import part_left, vm_receipt

BILLS_GO_BACK_DAYS = 30
KEPT = {"s3": "bucket", "kms": "key"}
"""What destroy leaves on purpose where keepBucket is set."""
LAGS = ("ec2",)
"""Services whose removed things AWS lists by tag for up to an hour more; what of it bills is asked for itself."""


def receipt_of(
    region: str,
    account_id: str,
    *,
    stack: str,
    stamp: str,
    keep_bucket: bool,
    worst_case_usd: float | None = None,
    journal: Journal | None = None,
) -> Receipt:
    """Ask AWS what is left of a stack and what it cost; the journal is brought up to date before.

    Args:
        keep_bucket: whether bucket and key were to stay.
        worst_case_usd: what `up` said; the leases' own worst case where None.

    Raises:
        AwsError: AWS cannot be asked, so that nothing may be said of it.
    """
    journal = journal or Journal()
    account = account_name(account_id, region)
    found = look(region, account, stamp=stamp, journal=journal)
    list(reap([one for one in found if one.action == "settle"], account, journal=journal))
    living = [one for one in found if one.bills]
    arns = owned_arns(region, stamp)
    kept, lagging, rest = _sort(arns, keep_bucket=keep_bucket)
    notes = [f"stays on purpose (keepBucket): {', '.join(kept)}"] if kept else []
    billing = owned_billing_parts(region, stamp)
    if lagging and not living and not billing:
        notes.append(
            f"AWS lists {len(lagging)} parts of EC2 by their tags for up to an hour after their end; no machine, "
            "disk or endpoint is among what there is"
        )
    return vm_receipt(
        "AWS", account, stack=stack, stamp=stamp, living=living,
        parts=[_thing_left("ec2", name) for name in billing] + [_thing_left(service, name) for service, name in rest],
        listed={"machines": len(living), "tagged parts": len(arns)},
        billed=lambda since: _billed(stamp, since, notes),
        worst_case_usd=worst_case_usd, notes=notes, journal=journal,
    )  # fmt: skip


def _sort(arns: Sequence[str], *, keep_bucket: bool) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    kept, lagging, rest = [], [], []
    for service, name in arns_of_kind(arns):
        if keep_bucket and service in KEPT:
            kept.append(f"{KEPT[service]} {name.rpartition('/')[2]}")
        elif service in LAGS:
            lagging.append(name)
        else:
            rest.append((service, name))
    return kept, lagging, rest


def _thing_left(service: str, name: str) -> Left:
    return part_left(service, re.sub(r"^[a-z-]+[/:]", "", name), name)


def _billed(stamp: str, since: datetime | None, notes: list[str]) -> float | None:
    """Dollars by Cost Explorer, whole days, a day late; None where it has none or may not be asked, which is noted."""
    if since is None:
        return None
    today = datetime.now(UTC).date()
    start = max(since.date(), today - timedelta(days=BILLS_GO_BACK_DAYS))
    # It answers from one place only.
    explorer = client("ce", "us-east-1")
    try:
        with explained("the bill (Cost Explorer)"):
            answer = explorer.get_cost_and_usage(
                TimePeriod={"Start": f"{start}", "End": f"{today + timedelta(days=1)}"},
                Granularity="DAILY",
                Metrics=["UnblendedCost"],
                Filter={"Tags": {"Key": STAMP, "Values": [stamp]}},
            )
    except AwsError as error:
        notes.append(f"no bill: {error}")
        return None
    days = [
        float(day["Total"]["UnblendedCost"]["Amount"]) for day in answer["ResultsByTime"] if day.get("Total")
    ]
    if not any(days):
        notes.append(
            "the bill is a day late, and counts only once the tag sonarstack:stamp is activated for costs"
        )
        return None
    return sum(days)
