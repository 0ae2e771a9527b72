"""What the simulated catalogue offers. Prices, stock and abilities are samples and no quotes: they look like Runpod's.

GPU ids: docs.runpod.io references/gpu-types, read 2026-11-22.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuSample:
    """One GPU type; 0 is 'not on that cloud'."""

    id: str
    name: str
    pool: str | None
    memory_gb: int
    secure_usd_per_h: float
    community_usd_per_h: float
    secure: dict[str, int]
    """Data centre to GPUs that are free."""
    community: dict[str, int]
    cuda: tuple[str, ...]
    """Versions of its machines, oldest first."""
    most: int
    """GPUs a machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuSample:
    """One CPU flavour."""

    id: str
    name: str
    group: str
    ram_gb_per_vcpu: float
    usd_per_vcpu_h: float
    vcpus: dict[str, int]
    """Data centre to free vCPUs."""
    most: int = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCenterSample:
    """One data centre; the first volume type is its default."""

    id: str
    name: str
    region: str
    country: str
    volume_types: tuple[str, ...]
    compliance: tuple[str, ...]
    global_network: bool


def _units(text: str) -> dict[str, int]:
    """'EU-RO-1:9 EUR-IS-1:4'."""
    return {where: int(count) for where, _, count in (one.partition(":") for one in text.split())}


def _center(
    id_: str, name: str, country: str, volumes: str, compliance: str, network: bool
) -> DataCenterSample:
    return DataCenterSample(
        id=id_,
        name=name,
        region="EUROPE" if id_.startswith("EU") else "NORTH_AMERICA",
        country=country,
        volume_types=tuple(volumes.split()),
        compliance=tuple(compliance.split()),
        global_network=network,
    )


def _gpu(
    id_: str, name: str, pool: str | None, memory_gb: int, secure_usd: float, community_usd: float,
    secure: str, community: str, cuda: str = "12.4 12.8 13.0", most: int = 8,
) -> GpuSample:  # fmt: skip
    return GpuSample(
        id=id_,
        name=name,
        pool=pool,
        memory_gb=memory_gb,
        secure_usd_per_h=secure_usd,
        community_usd_per_h=community_usd,
        secure=_units(secure),
        community=_units(community),
        cuda=tuple(cuda.split()),
        most=most,
    )


def _cpu(id_: str, name: str, group: str, ram_gb: float, usd: float, vcpus: str) -> CpuSample:
    return CpuSample(
        id=id_, name=name, group=group, ram_gb_per_vcpu=ram_gb, usd_per_vcpu_h=usd, vcpus=_units(vcpus)
    )


DATA_CENTERS = (
    _center("EU-RO-1", "EU Romania 1", "RO", "STANDARD HIGH_PERFORMANCE", "GDPR ISO_IEC_27001", True),
    _center("EU-CZ-1", "EU Czechia 1", "CZ", "STANDARD", "GDPR ISO_IEC_27001", True),
    _center("EUR-IS-1", "EU Iceland 1", "IS", "STANDARD", "GDPR", True),
    _center("US-KS-2", "US Kansas 2", "US", "STANDARD HIGH_PERFORMANCE", "SOC_2_TYPE_2 HIPAA", True),
    _center("US-CA-2", "US California 2", "US", "STANDARD", "SOC_2_TYPE_2", True),
    _center("US-TX-3", "US Texas 3", "US", "", "", True),
    _center("CA-MTL-1", "Canada Montreal 1", "CA", "", "", False),
)
GPUS = (
    _gpu("NVIDIA RTX A4000", "RTX A4000", "AMPERE_16", 16, 0.25, 0.17,
         "EU-RO-1:9 EUR-IS-1:4 US-TX-3:12", "CA-MTL-1:6"),
    _gpu("NVIDIA RTX A5000", "RTX A5000", "AMPERE_24", 24, 0.27, 0.16,
         "EU-RO-1:8 EU-CZ-1:2 US-KS-2:3", "CA-MTL-1:3 US-TX-3:2"),
    _gpu("NVIDIA GeForce RTX 3090", "RTX 3090", "AMPERE_24", 24, 0.46, 0.22,
         "EU-CZ-1:5 US-KS-2:1", "CA-MTL-1:9 US-TX-3:4"),
    _gpu("NVIDIA GeForce RTX 4090", "RTX 4090", "ADA_24", 24, 0.44, 0.31,
         "EU-RO-1:16 EUR-IS-1:6 US-KS-2:12 US-TX-3:20", "CA-MTL-1:10 US-TX-3:6"),
    _gpu("NVIDIA GeForce RTX 5090", "RTX 5090", "BLACKWELL_32", 32, 0.89, 0.69,
         "EU-RO-1:4 US-CA-2:2", "US-TX-3:3", "12.8 13.0"),
    _gpu("NVIDIA L4", "L4", "ADA_24", 24, 0.39, 0.0, "EU-RO-1:3 US-CA-2:5", ""),
    _gpu("NVIDIA A40", "A40", "AMPERE_48", 48, 0.40, 0.0, "EUR-IS-1:8 US-KS-2:4 US-CA-2:9", ""),
    _gpu("NVIDIA RTX A6000", "RTX A6000", "AMPERE_48", 48, 0.49, 0.33, "EU-RO-1:2 US-KS-2:7", "CA-MTL-1:2"),
    _gpu("NVIDIA L40S", "L40S", "ADA_48_PRO", 48, 0.86, 0.79, "EU-RO-1:5 US-TX-3:3", "CA-MTL-1:1"),
    _gpu("NVIDIA A100 80GB PCIe", "A100 PCIe", "AMPERE_80", 80, 1.39, 1.19, "EU-RO-1:3 US-KS-2:4", "CA-MTL-1:2"),
    _gpu("NVIDIA A100-SXM4-80GB", "A100 SXM", "AMPERE_80", 80, 1.49, 1.39, "US-KS-2:8 US-CA-2:4", "US-TX-3:1"),
    _gpu("NVIDIA H100 PCIe", "H100 PCIe", "HOPPER_80", 80, 2.39, 1.99, "US-KS-2:2 EU-CZ-1:1", ""),
    _gpu("NVIDIA H100 80GB HBM3", "H100 SXM", "HOPPER_80", 80, 2.99, 2.69, "EUR-IS-1:8 US-CA-2:8", ""),
    _gpu("NVIDIA H200", "H200 SXM", "HOPPER_141", 141, 3.99, 0.0, "EUR-IS-1:3", "", "12.8 13.0"),
    _gpu("Tesla V100-SXM2-32GB", "V100 SXM2 32GB", None, 32, 0.0, 0.23, "", "CA-MTL-1:2", "12.4", 4),
)  # fmt: skip
CPUS = (
    _cpu("cpu3c", "Compute-Optimized", "Gen 3", 2.0, 0.03, "EU-RO-1:128 EUR-IS-1:64 US-KS-2:64 US-TX-3:64"),
    _cpu("cpu3g", "General Purpose", "Gen 3", 4.0, 0.04, "EU-RO-1:64 EU-CZ-1:32 US-CA-2:32"),
    _cpu("cpu5c", "Compute-Optimized", "Gen 5", 2.0, 0.035, "EU-RO-1:64 EU-CZ-1:16 US-KS-2:32 US-CA-2:32"),
)
