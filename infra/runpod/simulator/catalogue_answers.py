"""GET /v2/catalog/*: the contract's shapes and filters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from infra.runpod.simulator import queries
from infra.runpod.simulator.catalogue import (
    Catalogue,
    cpu_of,
    data_center_of,
    fitting_cuda,
    gpu_of,
    level,
)
from infra.runpod.simulator.problems import Problem, missing
from infra.runpod.simulator.queries import Query
from infra.runpod.simulator.samples import CPUS, DATA_CENTERS, GPUS, CpuSample, DataCenterSample, GpuSample

REGIONS = ("NORTH_AMERICA", "SOUTH_AMERICA", "EUROPE", "ASIA", "MIDDLE_EAST", "AFRICA", "OCEANIA", "ANTARCTICA",
           "UNKNOWN")  # fmt: skip
COMPLIANCE = ("GDPR", "ISO_IEC_27001", "ISO_14001", "PCI_DSS", "HITRUST", "SOC_1_TYPE_2", "SOC_2_TYPE_2",
              "SOC_3_TYPE_2", "ITAR", "FISMA_HIGH", "HIPAA", "RENEWABLE")  # fmt: skip
GPU_FILTERS = ("product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion")
CPU_FILTERS = ("product", "vcpuCount")
Sample = TypeVar("Sample", GpuSample, CpuSample)


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuQuestion:
    """The query of /v2/catalog/gpus, read."""

    stock: bool
    count: int
    cloud: str
    countries: tuple[str, ...]
    cuda: tuple[str, ...]
    min_cuda: str | None

    @classmethod
    def read(cls, query: Query) -> "GpuQuestion":
        """Raises Problem where filters do not go together (400) or are malformed (422)."""
        stock = _stock_asked(query, GPU_FILTERS, ("POD", "CLUSTER", "SERVERLESS"))
        cuda = queries.matching(query, "cudaVersions", queries.CUDA)
        floor = queries.matching(query, "minCudaVersion", r"\d+(\.\d+)?")
        if cuda and floor:
            raise Problem(400, "cudaVersions and minCudaVersion are mutually exclusive")
        return cls(
            stock=stock,
            count=queries.whole(query, "count", 1, 1),
            cloud=(queries.words(query, "cloud", ("SECURE", "COMMUNITY")) or ("SECURE",))[0],
            countries=queries.matching(query, "countryCodes", "[A-Z]{2}"),
            cuda=cuda,
            min_cuda=floor[0] if floor else None,
        )

    def centers(self) -> list[DataCenterSample]:
        """Those in the countries."""
        return [one for one in DATA_CENTERS if not self.countries or one.country in self.countries]


def list_gpus(catalogue: Catalogue, query: Query) -> dict[str, Any]:
    """`ListGpuTypesResponse`."""
    asked = GpuQuestion.read(query)
    centers = {one.id for one in asked.centers()}
    gpus = [one for one in GPUS if not asked.countries or centers & {*one.secure, *one.community}]
    return {"gpus": [_gpu(catalogue, one, asked) for one in gpus]}


def get_gpu(catalogue: Catalogue, id_: str, query: Query) -> dict[str, Any]:
    """`GpuType`."""
    gpu = gpu_of(id_)
    if gpu is None:
        raise missing("gpu type")
    return _gpu(catalogue, gpu, GpuQuestion.read(query))


def _gpu(catalogue: Catalogue, gpu: GpuSample, asked: GpuQuestion) -> dict[str, Any]:
    secure = catalogue.usd_per_h(gpu, "SECURE")
    community = catalogue.usd_per_h(gpu, "COMMUNITY")
    answer: dict[str, Any] = {
        "id": gpu.id,
        "name": gpu.name,
        "pool": gpu.pool,
        "manufacturer": "NVIDIA",
        "memory": gpu.memory_gb,
        "secure": secure > 0,
        "community": community > 0,
        "price": {"secure": secure, "community": community},
        "maxCount": {"secure": gpu.most if secure else 0, "community": gpu.most if community else 0},
    }
    if not asked.stock:
        return answer
    cuda = fitting_cuda(gpu.cuda, asked.cuda, asked.min_cuda)
    free = {one.id: catalogue.free_gpus(gpu, asked.cloud, one.id) if cuda else 0 for one in asked.centers()}
    answer |= _stock(asked.centers(), free, asked.count)
    if cuda:
        available = answer["availability"] != "NONE"
        answer["cudaVersions"] = [{"version": one, "available": available} for one in cuda]
    return answer


def list_cpus(catalogue: Catalogue, query: Query) -> dict[str, Any]:
    """`ListCpuTypesResponse`."""
    return {"cpus": [_cpu(catalogue, one, query) for one in CPUS]}


def get_cpu(catalogue: Catalogue, id_: str, query: Query) -> dict[str, Any]:
    """`CpuType`."""
    cpu = cpu_of(id_)
    if cpu is None:
        raise missing("cpu type")
    return _cpu(catalogue, cpu, query)


def _cpu(catalogue: Catalogue, cpu: CpuSample, query: Query) -> dict[str, Any]:
    stock = _stock_asked(query, CPU_FILTERS, ("POD", "SERVERLESS"))
    wanted = queries.whole(query, "vcpuCount", 2, 2)
    if wanted & (wanted - 1):
        raise Problem(400, "vcpuCount must be a power of two")
    usd = catalogue.usd_per_vcpu_h(cpu)
    answer: dict[str, Any] = {
        "id": cpu.id,
        "name": cpu.name,
        "group": cpu.group,
        "vcpu": {"min": 2, "max": cpu.most},
        "ramGbPerVcpu": cpu.ram_gb_per_vcpu,
        "price": {"securePerVcpu": usd, "serverlessPerVcpu": usd},
    }
    if stock:
        free = {one.id: catalogue.free_vcpus(cpu, one.id) for one in DATA_CENTERS}
        answer |= _stock(DATA_CENTERS, free, wanted)
    return answer


def list_data_centers(catalogue: Catalogue, query: Query) -> dict[str, Any]:
    """`ListDataCentersResponse`."""
    regions = queries.words(query, "regions", REGIONS)
    volumes = queries.words(query, "networkVolumeTypes", ("STANDARD", "HIGH_PERFORMANCE"))
    compliance = queries.words(query, "compliance", COMPLIANCE)
    network = queries.flag(query, "globalNetwork")
    chosen = [
        one
        for one in DATA_CENTERS
        if (not regions or one.region in regions)
        and set(volumes) <= set(one.volume_types)
        and set(compliance) <= set(one.compliance)
        and network in (None, one.global_network)
    ]
    return {"dataCenters": [_center(catalogue, one, query) for one in chosen]}


def get_data_center(catalogue: Catalogue, id_: str, query: Query) -> dict[str, Any]:
    """`DataCenter`."""
    center = data_center_of(id_)
    if center is None:
        raise missing("data center")
    return _center(catalogue, center, query)


def _center(catalogue: Catalogue, center: DataCenterSample, query: Query) -> dict[str, Any]:
    include = queries.words(query, "include", ("GPU_AVAILABILITY", "CPU_AVAILABILITY"))
    answer: dict[str, Any] = {
        "id": center.id,
        "name": center.name,
        "region": center.region,
        "globalNetwork": center.global_network,
        "networkVolumeTypes": list(center.volume_types),
        "compliance": list(center.compliance),
    }
    gpus = [one for one in GPUS if center.id in one.secure or center.id in one.community]
    cpus = [one for one in CPUS if center.id in one.vcpus]
    if "GPU_AVAILABILITY" in include and gpus:
        answer["gpuAvailability"] = _levels(gpus, lambda one: _either_cloud(catalogue, one, center.id), 1)
    if "CPU_AVAILABILITY" in include and cpus:
        answer["cpuAvailability"] = _levels(cpus, lambda one: catalogue.free_vcpus(one, center.id), 2)
    return answer


def _levels(things: list[Sample], free: Callable[[Sample], int], wanted: int) -> list[dict[str, str]]:
    return [{"id": one.id, "name": one.name, "availability": level(free(one), wanted)} for one in things]


def _either_cloud(catalogue: Catalogue, gpu: GpuSample, center: str) -> int:
    return max(catalogue.free_gpus(gpu, cloud, center) for cloud in ("SECURE", "COMMUNITY"))


def _stock(
    centers: list[DataCenterSample] | tuple[DataCenterSample, ...], free: dict[str, int], wanted: int
) -> dict[str, Any]:
    offering = [
        {"id": one.id, "name": one.name, "availability": level(free[one.id], wanted)}
        for one in centers
        if free[one.id] >= wanted
    ]
    answer: dict[str, Any] = {"availability": level(max(free.values(), default=0), wanted)}
    if offering:
        answer["dataCenters"] = offering
    return answer


def _stock_asked(query: Query, filters: tuple[str, ...], products: tuple[str, ...]) -> bool:
    include = queries.words(query, "include", ("AVAILABILITY",))
    product = queries.words(query, "product", products)
    if include and not product:
        raise Problem(400, "include=AVAILABILITY requires product")
    if not include:
        alone = [name for name in filters if name in query]
        if alone:
            raise Problem(400, f"{', '.join(alone)}: valid only with include=AVAILABILITY")
    return bool(include)
