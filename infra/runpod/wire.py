"""What Runpod answers, as far as we read it. Field names are ours, with units; each is checked once, here.

Every `read` takes the contract's object of the same name and raises KeyError, TypeError or ValueError where it is none;
the client turns these into one line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    cpu_id: str | None
    """None for a GPU pod."""
    created_at: datetime
    ssh: tuple[str, int, str] | None
    """Host, port and user of its own sshd; None while it has none."""
    gpu_percent: tuple[int, ...]
    """Use of each GPU; empty when it does not run."""
    gpu_memory_percent: tuple[int, ...]
    volume_id: str | None
    """Of its network volume."""
    image: str
    disk_gb: int
    ports: tuple[str, ...]
    """Such as 22/tcp."""
    env: Mapping[str, str] = field(repr=False)
    """In clear, as the service answers it."""
    args: str = field(repr=False)

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "Pod":
        """From the contract's `Pod`."""
        gpu = answer.get("gpu") or {}
        cpu = answer.get("cpu") or {}
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
            cpu_id=cpu.get("id"),
            created_at=datetime.fromisoformat(answer["createdAt"]),
            ssh=(direct["host"], int(direct["port"]), direct["username"]) if direct else None,
            gpu_percent=tuple(int(one.get("util", 0)) for one in gpus),
            gpu_memory_percent=tuple(int(one.get("memoryUtil", 0)) for one in gpus),
            volume_id=network[0].get("volumeId"),
            image=answer["image"],
            disk_gb=int(answer["disk"]),
            ports=tuple(answer["ports"]),
            env=dict(answer["env"]),
            args=answer["args"],
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
    """0 where there is none."""
    community_usd_per_h: float
    max_count_secure: int
    """Of the largest machine, whether free or not."""
    max_count_community: int
    stock: str | None
    """One of STOCK; None where it was not asked for."""
    data_centers: Mapping[str, str]
    """Data centre to stock."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "GpuType":
        """From the contract's `GpuType`; a price that is missing or null is read as 0, which is no price."""
        return cls(
            id=answer["id"],
            name=answer["name"],
            memory_gb=int(answer["memory"]),
            secure=bool(answer["secure"]),
            community=bool(answer["community"]),
            secure_usd_per_h=float(answer["price"].get("secure") or 0.0),
            community_usd_per_h=float(answer["price"].get("community") or 0.0),
            max_count_secure=int(answer["maxCount"]["secure"]),
            max_count_community=int(answer["maxCount"]["community"]),
            stock=answer.get("availability"),
            data_centers=_stock(answer.get("dataCenters")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuType:
    """A CPU flavour of the catalogue; secure cloud only."""

    id: str
    name: str
    vcpu_min: int
    vcpu_max: int
    ram_gb_per_vcpu: float
    secure_usd_per_vcpu_h: float
    stock: str | None
    """One of STOCK; None where it was not asked for."""
    data_centers: Mapping[str, str]
    """Data centre to stock."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "CpuType":
        """From the contract's `CpuType`."""
        return cls(
            id=answer["id"],
            name=answer["name"],
            vcpu_min=int(answer["vcpu"]["min"]),
            vcpu_max=int(answer["vcpu"]["max"]),
            ram_gb_per_vcpu=float(answer["ramGbPerVcpu"]),
            secure_usd_per_vcpu_h=float(answer["price"]["securePerVcpu"]),
            stock=answer.get("availability"),
            data_centers=_stock(answer.get("dataCenters")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCenter:
    """A place, what volumes it has, and which GPUs are there."""

    id: str
    name: str
    region: str
    volume_types: tuple[str, ...]
    """STANDARD, HIGH_PERFORMANCE; empty where there are no network volumes."""
    gpu_stock: Mapping[str, str]
    """GPU id to stock."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "DataCenter":
        """From the contract's `DataCenter`."""
        return cls(
            id=answer["id"],
            name=answer["name"],
            region=answer["region"],
            volume_types=tuple(answer["networkVolumeTypes"]),
            gpu_stock=_stock(answer.get("gpuAvailability")),
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
        """From the contract's `NetworkVolume`."""
        return cls(
            id=answer["id"],
            name=answer["name"],
            size_gb=int(answer["size"]),
            data_center=answer["dataCenter"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryCredential:
    """A container registry's user and password, which are never answered."""

    id: str
    name: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "RegistryCredential":
        """From the contract's `Registry`."""
        return cls(id=answer["id"], name=answer["name"])


@dataclass(frozen=True, kw_only=True, slots=True)
class PodBill:
    """What one pod cost within a stretch of time."""

    pod_id: str
    start: datetime
    end: datetime
    total_usd: float
    gpu_usd: float
    cpu_usd: float
    disk_usd: float

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "PodBill":
        """From the contract's `PodBillingRecord`."""
        return cls(
            pod_id=answer["podId"],
            start=datetime.fromisoformat(answer["startTime"]),
            end=datetime.fromisoformat(answer["endTime"]),
            total_usd=float(answer["totalAmount"]),
            gpu_usd=float(answer["gpuAmount"]),
            cpu_usd=float(answer["cpuAmount"]),
            disk_usd=float(answer["diskAmount"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeBill:
    """What one network volume cost within a stretch of time."""

    volume_id: str
    start: datetime
    end: datetime
    total_usd: float
    standard_usd: float
    high_performance_usd: float

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "VolumeBill":
        """From the contract's `NetworkVolumeBillingRecord`."""
        return cls(
            volume_id=answer["networkVolumeId"],
            start=datetime.fromisoformat(answer["startTime"]),
            end=datetime.fromisoformat(answer["endTime"]),
            total_usd=float(answer["totalAmount"]),
            standard_usd=float(answer["standardAmount"]),
            high_performance_usd=float(answer["highPerformanceAmount"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """A line of a pod's log."""

    ts: str
    """RFC 3339, as it was answered; `since` of a later read takes it."""
    source: str
    """container or system."""
    line: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "LogLine":
        """From the payload that getPodLogs describes."""
        return cls(ts=str(answer["ts"]), source=str(answer["source"]), line=str(answer["line"]))


def _stock(listed: list[Mapping[str, Any]] | None) -> Mapping[str, str]:
    return {one["id"]: one["availability"] for one in listed or ()}
