"""What Runpod answers, as far as we read it. Field names are ours, with units; each is checked once, here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

STOCK = ("NONE", "LOW", "MEDIUM", "HIGH")
"""Levels of stock, worst first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """A pod at one look."""

    id: str
    name: str
    status: str
    """PROVISIONING, STARTING, RUNNING, EXITED, ERROR or TERMINATED."""
    cost_usd_per_h: float
    """What is billed now; 0 when it does not run."""
    cloud: str
    data_center: str | None
    gpu_id: str | None
    """None for a CPU pod."""
    gpu_count: int
    created_at: datetime
    ssh: tuple[str, int, str] | None
    """Host, port and user of its own sshd; None while it has none."""
    gpu_percent: tuple[int, ...]
    """Use of each GPU; empty when it does not run."""
    gpu_memory_percent: tuple[int, ...]
    volume_id: str | None
    """Of its network volume."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "Pod":
        """From the contract's `Pod`.

        Raises:
            KeyError, TypeError, ValueError: the answer is none.
        """
        gpu = answer.get("gpu") or {}
        direct = answer["ssh"]["direct"]
        gpus = (answer["runtime"] or {}).get("gpus") or []
        network = answer["mounts"].get("network") or [{}]
        return cls(
            id=answer["id"],
            name=answer["name"],
            status=answer["status"],
            cost_usd_per_h=float(answer["cost"]),
            cloud=answer["cloud"],
            data_center=answer["dataCenterId"],
            gpu_id=gpu.get("id"),
            gpu_count=int(gpu.get("count", 1)) if gpu else 0,
            created_at=datetime.fromisoformat(answer["createdAt"]),
            ssh=(direct["host"], int(direct["port"]), direct["username"]) if direct else None,
            gpu_percent=tuple(int(one.get("util", 0)) for one in gpus),
            gpu_memory_percent=tuple(int(one.get("memoryUtil", 0)) for one in gpus),
            volume_id=network[0].get("volumeId"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuType:
    """A GPU of the catalogue; prices are of one, in USD per hour."""

    id: str
    name: str
    memory_gb: int
    secure: bool
    community: bool
    secure_usd_per_h: float
    community_usd_per_h: float
    stock: str | None
    """One of STOCK; None where it was not asked for."""
    data_centers: Mapping[str, str]
    """Data centre to stock."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "GpuType":
        """From the contract's `GpuType`.

        Raises:
            KeyError, TypeError, ValueError: the answer is none.
        """
        return cls(
            id=answer["id"],
            name=answer["name"],
            memory_gb=int(answer["memory"]),
            secure=bool(answer["secure"]),
            community=bool(answer["community"]),
            secure_usd_per_h=float(answer["price"]["secure"]),
            community_usd_per_h=float(answer["price"]["community"]),
            stock=answer.get("availability"),
            data_centers={one["id"]: one["availability"] for one in answer.get("dataCenters") or ()},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkVolume:
    """Storage that outlives pods, in one data centre."""

    id: str
    name: str
    size_gb: int
    data_center: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "NetworkVolume":
        """From the contract's `NetworkVolume`.

        Raises:
            KeyError, TypeError, ValueError: the answer is none.
        """
        return cls(
            id=answer["id"],
            name=answer["name"],
            size_gb=int(answer["size"]),
            data_center=answer["dataCenter"],
        )
