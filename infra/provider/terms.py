"""What a job is told only when it starts: how long its machine may still live, and what was spent before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infra.errors import JobError
from infra.journal import Journal

RESERVE_HOURS = 3 / 60
"""Before the lease's end: the program leaves by itself, with its last checkpoint, before anything ends it."""


def late_variables(terms: Mapping[str, Any]) -> dict[str, str]:
    """Variables that are no part of the job's identity.

    Args:
        terms: of the rented machine: leaseUntil (ISO 8601), priceUsdPerH, account, stamp, run; empty on one's own.

    Raises:
        JobError: nothing of the lease is left.
    """
    if not terms:
        return {}
    now = datetime.now(UTC)
    left = (datetime.fromisoformat(terms["leaseUntil"]) - now).total_seconds() / 3600 - RESERVE_HOURS
    if left <= 0:
        raise JobError(
            f"the machine's lease ends at {terms['leaseUntil']}, too soon to begin; a longer one is a new decision: "
            "raise sonarstack:maxHours, then `down` and `up`"
        )
    price = float(terms["priceUsdPerH"])
    spent = Journal().spent_usd(terms["account"], terms["stamp"], terms["run"], now)
    return {
        "SONARSTACK_MAX_HOURS": f"{left:.4f}",
        **(
            {"SONARSTACK_PRICE_USD_PER_H": f"{price:.4f}", "SONARSTACK_SPENT_USD": f"{spent:.4f}"}
            if price
            else {}
        ),
    }
