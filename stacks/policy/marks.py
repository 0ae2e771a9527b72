"""Stamp and lease as tags, as AWS and Azure both take them; infra/naming.py writes them."""

from datetime import datetime
from typing import Any

STAMP = "sonarstack:stamp"
LEASE = "sonarstack:lease-until"


def is_moment(value: Any) -> bool:
    """Such as 2026-11-28T12:00:00Z."""
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def lease_trouble(who: str, until: Any) -> str | None:
    """What is wrong with a machine's lease, in one sentence; None if nothing is."""
    if not until:
        return (
            f"{who} has no tag {LEASE}, and would live until somebody looks; give it the Lease's leaseUntil"
        )
    if not is_moment(until):
        return f"{who} has {LEASE}={until}, which is no moment; give it the Lease's leaseUntil"
    return None
