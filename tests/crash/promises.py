"""What must be true after a crash and what was done about it; every sentence that comes back is a promise broken."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from infra.errors import RunHomeError
from infra.journal import Journal
from infra.runpod.client import RunpodClient
from infra.runpod.guard import Finding, plan_reaping
from infra.runpod.reaper import look, reap
from infra.runpod.rent import Renter
from infra.runs.manifest import differences
from tests.crash.ground import Ground
from tests.crash.job import CHECKPOINT_STEPS

BEYOND_ANY_LEASE = timedelta(hours=1)
"""The stack's is half an hour, and so is that of a look at its volume."""
NOISE_S = 0.01


def reaped(ground: Ground) -> list[str]:
    """`reap` when all leases are over: what it does not end is named."""
    with RunpodClient(ground.simulator.key, ground.proxy.address) as client:
        later = datetime.now(UTC) + BEYOND_ANY_LEASE
        renter = Renter(client, Journal(ground.leases), sleep=lambda _: None, now=lambda: later)
        failed = [one.error for one in reap(renter, look(renter)) if one.error]
    return failed + list(_left(ground, volumes=False))


def would_be_reaped(ground: Ground) -> Iterator[str]:
    """Should nobody come back: `reap` would end every pod at its lease's end, and knows whose the volume is."""
    with RunpodClient(ground.simulator.key, ground.proxy.address) as client:
        pods, volumes = client.pods(), client.volumes()
        leases = Journal(ground.leases).leases()
        found = plan_reaping(pods, volumes, leases, datetime.now(UTC) + BEYOND_ANY_LEASE)
    actions: dict[str, Finding] = {one.id: one for one in found if one.id}
    for pod in pods:
        if pod.id not in actions or actions[pod.id].action != "end":
            yield f"reap would not end {pod.name}"
    for volume in volumes:
        if volume.id not in actions or actions[volume.id].action != "keep":
            yield f"reap does not know whose volume {volume.name} is"


def settled(ground: Ground, *, gpu_pods: int | None, torn: bool = False) -> Iterator[str]:
    """After the last destroy.

    Args:
        gpu_pods: that may have been rented; None is any number.
        torn: whether the job died with its host and never went on, so that no manifest tells of its last steps.
    """
    yield from _left(ground, volumes=True)
    rented = [name for name in _rented(ground) if not name.endswith("-reader")]
    if gpu_pods is not None and len(rented) != gpu_pods:
        yield f"{len(rented)} GPU pods were rented, {gpu_pods} would do"
    yield from _home(ground, torn=torn)


def at_once(ground: Ground) -> Iterator[str]:
    """GPU pods that billed at the same time."""
    simulation = ground.simulator.simulation
    with simulation.lock:
        now_s = simulation.clock.now()
        stretches = sorted(
            (one.start_s, one.end_s or now_s)
            for bill in simulation.state.pod_bills.values()
            for one in bill.stretches
            if one.usd_per_h.get("gpuAmount")
        )
    for (_, end_s), (start_s, _) in pairwise(stretches):
        if end_s - start_s > NOISE_S:
            yield f"two GPU pods billed at once for {end_s - start_s:.1f} s"


def _left(ground: Ground, *, volumes: bool) -> Iterator[str]:
    meter = ground.simulator.meter()
    if meter["running_usd_per_h"]:
        yield f"pods still bill ${meter['running_usd_per_h']:.2f} an hour"
    if volumes and meter["volumes_usd_per_h"]:
        yield "a volume still bills"
    for lease in Journal(ground.leases).leases():
        if lease.ended_at is None and (volumes or lease.kind != "volume"):
            yield f"the lease of {lease.kind} {lease.name} is open"


def _rented(ground: Ground) -> list[str]:
    return [one["name"] for one in ground.simulator.meter()["pods"]]


def _home(ground: Ground, *, torn: bool) -> Iterator[str]:
    """Whole, and not a checkpoint interval behind what was ever computed."""
    told = ground.told()
    if not told:
        return
    try:
        wrong = [] if torn else differences(ground.home)
    except RunHomeError as error:
        yield f"the run is not home: {error}"
        return
    if wrong:
        yield f"the run at home differs from its manifest: {wrong[0]}"
    latest = json.loads((ground.home / "checkpoints" / "latest.json").read_text())
    for lost in _lost(told, int(latest["step"])):
        if lost > CHECKPOINT_STEPS:
            yield f"{lost} steps were lost, a checkpoint is made every {CHECKPOINT_STEPS}"


def _lost(told: list[dict[str, Any]], home: int) -> Iterator[int]:
    """Steps computed in vain, each time that the job began again, and at home."""
    last = 0
    for one in [*told, {"begins_at": home}]:
        if "begins_at" in one:
            yield last - int(one["begins_at"])
        last = int(next(iter(one.values())))
