"""GET /v2/billing/*: the meter's amounts in buckets of time."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.runpod.simulator import queries
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.clock import rfc3339
from infra.runpod.simulator.meter import Bill
from infra.runpod.simulator.problems import Problem
from infra.runpod.simulator.queries import Query

SIZES = ("hour", "day", "week", "month", "year")
DEFAULT_PERIOD = timedelta(days=30)
POD_AMOUNTS = ("gpuAmount", "cpuAmount", "diskAmount")
VOLUME_AMOUNTS = ("standardAmount", "highPerformanceAmount")


def pod_billing(bills: Mapping[str, Bill], query: Query, now_s: float) -> dict[str, Any]:
    """`ListPodBillingResponse`."""
    return _billing(bills, query, now_s, "podId", "uniquePodCount", POD_AMOUNTS)


def volume_billing(bills: Mapping[str, Bill], query: Query, now_s: float) -> dict[str, Any]:
    """`ListNetworkVolumeBillingResponse`."""
    return _billing(bills, query, now_s, "networkVolumeId", "uniqueNetworkVolumeCount", VOLUME_AMOUNTS)


@follows("billing-buckets")
def _billing(
    bills: Mapping[str, Bill], query: Query, now_s: float, owner: str, unique: str, names: tuple[str, ...]
) -> dict[str, Any]:
    size, start, end = _window(query, datetime.fromtimestamp(now_s, UTC))
    wanted = query.get(owner)
    records = []
    begun = [stretch.start_s for bill in bills.values() for stretch in bill.stretches]
    first_bill = floor(datetime.fromtimestamp(min(begun, default=now_s), UTC), size)
    for first, last in _buckets(max(start, first_bill), end, size):
        for bill in bills.values():
            # The bucket that is going on has no bill beyond now.
            amounts = bill.amounts(first.timestamp(), min(last.timestamp(), now_s))
            if wanted in (None, bill.owner) and any(amounts.values()):
                records.append({**_range(first, last), owner: bill.owner, **_amounts([amounts], names)})
    asked = {**_range(start, end), "bucketSize": size, owner: wanted}
    metadata = {
        "query": asked,
        "recordCount": len(records),
        unique: len({one[owner] for one in records}),
        "totals": _amounts(records, names),
    }
    return {"records": records, "metadata": metadata}


def _window(query: Query, now: datetime) -> tuple[str, datetime, datetime]:
    """Bucket size and the whole window, on the buckets' bounds."""
    size = (queries.words(query, "bucketSize", SIZES) or ("day",))[0]
    begin, end = queries.moment(query, "startTime"), queries.moment(query, "endTime")
    last_n = queries.whole(query, "lastN", 0, 1)
    if last_n and (begin is not None or end is not None):
        raise Problem(400, "lastN and startTime/endTime are mutually exclusive")
    if last_n:
        first = floor(now, size)
        for _ in range(last_n - 1):
            first = floor(first - timedelta(seconds=1), size)
        return size, first, following(floor(now, size), size)
    until = now if end is None else datetime.fromtimestamp(end, UTC)
    since = now - DEFAULT_PERIOD if begin is None else datetime.fromtimestamp(begin, UTC)
    if since >= until:
        raise Problem(400, "startTime must be before endTime")
    top = floor(until, size)
    return size, floor(since, size), until if top == until else following(top, size)


def floor(at: datetime, size: str) -> datetime:
    """The start of the bucket it is in; weeks begin on Monday."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    return {
        "hour": hour,
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "year": day.replace(month=1, day=1),
    }[size]


def following(start: datetime, size: str) -> datetime:
    """The start of the next bucket."""
    longest = {"hour": 1, "day": 24, "week": 7 * 24, "month": 31 * 24, "year": 366 * 24}[size]
    return floor(start + timedelta(hours=longest), size)


def _buckets(start: datetime, end: datetime, size: str) -> Iterable[tuple[datetime, datetime]]:
    while start < end:
        after = following(start, size)
        yield start, after
        start = after


def _range(start: datetime, end: datetime) -> dict[str, str]:
    return {"startTime": rfc3339(start.timestamp()), "endTime": rfc3339(end.timestamp())}


def _amounts(parts: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> dict[str, float]:
    kept = list(parts)
    sums = {name: float(sum(one.get(name, 0.0) for one in kept)) for name in names}
    return {"totalAmount": sum(sums.values()), **sums}
