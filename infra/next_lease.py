"""How long the next machine of a run may live, by the dollars that earlier ones have left. Pure."""

SHORTEST_H = 0.25
"""Hours: a machine that dollars end sooner would be over before its job has begun."""


def next_hours(max_hours: float, *, limit_usd: float | None, spent_usd: float, usd_per_h: float) -> float:
    """Hours of its lease; 0 where too little is left to begin.

    Args:
        max_hours: of any lease.
        limit_usd: for all machines of the run together; None for no limit.
        spent_usd: by those before.
        usd_per_h: ceiling of its price, with its disk.
    """
    if limit_usd is None or not usd_per_h:
        return max_hours
    left = (limit_usd - spent_usd) / usd_per_h
    # A lease that fits to the cent is a whole one: the limit came of the same figures, in another order.
    if left >= max_hours * (1 - 1e-6):
        return max_hours
    return left if left >= SHORTEST_H else 0.0
