"""Pods, volumes and leases as plain values, for whoever judges them."""

import json
from datetime import UTC, datetime, timedelta

from infra.journal import Lease
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.spec import LEASE_VARIABLE, SPEC_VARIABLE, PodSpec
from infra.runpod.wire import NetworkVolume, Pod

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACCOUNT = "http://rp.test/v2"
STAMP = "sonarstack-runpod-abc123"
ELSEWHERE = f"ssh-ed25519 AAAAelsewhere {STAMP}"
"""The key of another machine for the same stack."""
SPEC = PodSpec(stamp=STAMP, run="runpod", gpus=("RTX 4090",), max_usd_per_h=0.8, max_hours=6.0)


def pod(
    *, id_: str = "p1", name: str = SPEC.name, spec: PodSpec | None = SPEC, until: datetime | None = NOW + HOUR,
    status: str = "RUNNING", usd: float = 0.44, volume: str | None = None, env: dict | None = None,
    gpu: str | None = "NVIDIA GeForce RTX 4090", key: str = ELSEWHERE,
    ssh: tuple[str, int, str] | None = None,
) -> Pod:  # fmt: skip
    """One; `env` instead of what spec, lease and key come to."""
    told = {KEYS_VARIABLE: f"{key}\nssh-ed25519 AAAAcolleague anna@laptop"}
    if spec is not None:
        told[SPEC_VARIABLE] = json.dumps(spec.as_dict())
    if until is not None:
        told[LEASE_VARIABLE] = f"{until.timestamp():.0f}"
    return Pod(
        id=id_, name=name, status=status, cost_usd_per_h=usd, cloud="SECURE", data_center="EU-RO-1", gpu_id=gpu,
        gpu_count=1 if gpu else 0, cpu_id=None if gpu else "cpu3c", created_at=NOW - HOUR, ssh=ssh, gpu_percent=(),
        gpu_memory_percent=(), volume_id=volume, image="x", disk_gb=50, ports=(), args="",
        env=told if env is None else env,
    )  # fmt: skip


def volume(*, id_: str = "v1", name: str = f"{STAMP}-volume", size_gb: int = 20) -> NetworkVolume:
    """One."""
    return NetworkVolume(id=id_, name=name, size_gb=size_gb, data_center="EU-RO-1")


def lease(**more) -> Lease:
    """Of a pod, with other values."""
    values = {
        "cloud": "runpod",
        "account": ACCOUNT,
        "kind": "pod",
        "name": SPEC.name,
        "stamp": STAMP,
        "run": "runpod",
        "rented_at": NOW - HOUR,
        "lease_until": NOW + HOUR,
        "price_usd_per_h": 0.44,
        "id": "p1",
        "spec": SPEC.as_dict(),
    }
    return Lease(**{**values, **more})


def volume_lease(**more) -> Lease:
    """Of a volume."""
    values = {"kind": "volume", "name": f"{STAMP}-volume", "id": "v1", "lease_until": None, "spec": {}}
    return lease(**{**values, "price_usd_per_h": 20 * 0.07 / 730, **more})
