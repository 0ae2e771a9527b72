"""Where a pod goes, or why it goes nowhere: the rules that the contract's schema cannot say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.catalogue import Catalogue, cpu_of, data_center_of, fitting_cuda, gpu_of
from infra.runpod.simulator.problems import Problem, missing, no_capacity
from infra.runpod.simulator.samples import DATA_CENTERS
from infra.runpod.simulator.state import State

MOST_VARIABLES = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A machine for a pod, not yet taken."""

    data_center: str
    gpu_id: str | None
    gpu_count: int
    cpu_id: str | None
    vcpus: int
    memory_gb: int
    cuda_version: str | None
    usd_per_h: float
    """Of the whole pod."""


@follows("unknown-reference")
def check(state: State, body: Mapping[str, Any]) -> None:
    """Rules across fields.

    Raises:
        Problem: 400, or 404 for what does not exist.
    """
    if ("gpu" in body) == ("cpu" in body):
        raise Problem(400, "exactly one of gpu or cpu must be set")
    if "templateId" in body:
        raise missing("template")
    gpu = body.get("gpu", {})
    if gpu.get("allowedCudaVersions") and "minCudaVersion" in gpu:
        raise Problem(400, "gpu.allowedCudaVersions and gpu.minCudaVersion are mutually exclusive")
    check_container(state, body)
    mounts = body.get("mounts", {})
    if "persistent" in mounts and "network" in mounts:
        raise Problem(400, "mounts.persistent and mounts.network are mutually exclusive")
    if "persistent" in mounts and "cpu" in body:
        raise Problem(400, "mounts.persistent is not available on CPU pods")
    if body.get("globalNetworking") and "cpu" in body:
        raise Problem(400, "global networking requires an NVIDIA GPU")
    check_volume(state, body)


@follows("ports-form", "env-at-most-50", "unknown-reference")
def check_container(state: State, body: Mapping[str, Any]) -> None:
    """What create and edit have in common."""
    for port in body.get("ports", ()):
        if not re.fullmatch(r"([1-9]\d{0,4})/(tcp|udp|http)", port, re.ASCII):
            raise Problem(400, f"port {port!r} is not of the form port/protocol")
    if len(body.get("env", {})) > MOST_VARIABLES:
        raise Problem(400, f"at most {MOST_VARIABLES} environment variables are allowed")
    registry = body.get("registry")
    if registry is not None and registry not in state.registries:
        raise missing("registry")


@follows("volume-needs-secure", "volume-shared", "unknown-reference")
def check_volume(state: State, body: Mapping[str, Any]) -> None:
    """A network volume exists, and its pod can be where it is."""
    network = body.get("mounts", {}).get("network")
    if not network:
        return
    volume = state.volumes.get(network[0]["volumeId"])
    if volume is None:
        raise missing("network volume")
    if body.get("cloud") == "COMMUNITY":
        raise Problem(400, "network volumes are available on the SECURE cloud only")
    wished = [one.upper() for one in body.get("dataCenterIds", ())]
    if wished and volume.data_center not in wished:
        raise Problem(
            400,
            f"network volume {volume.id} is in data center {volume.data_center}, not in {', '.join(wished)}",
        )


def place(state: State, catalogue: Catalogue, body: Mapping[str, Any]) -> Placement:
    """The machine.

    Raises:
        Problem: 400, for lack of stock or for what does not exist.
    """
    return _place_gpu(state, catalogue, body) if "gpu" in body else _place_cpu(state, catalogue, body)


@follows("unknown-gpu")
def _place_gpu(state: State, catalogue: Catalogue, body: Mapping[str, Any]) -> Placement:
    asked = body["gpu"]
    gpu, count, cloud = gpu_of(asked["id"]), int(asked.get("count", 1)), body.get("cloud", "SECURE")
    if gpu is None:
        raise Problem(400, f"gpu type {asked['id']!r} is not available")
    cuda = fitting_cuda(gpu.cuda, asked.get("allowedCudaVersions", ()), asked.get("minCudaVersion"))
    usd = catalogue.usd_per_h(gpu, cloud)
    if not cuda or not usd or count > gpu.most:
        raise no_capacity()
    free = {one: catalogue.free_gpus(gpu, cloud, one) for one in _candidates(state, body)}
    return Placement(
        data_center=_choose(free, count, bool(body.get("dataCenterIds"))),
        gpu_id=gpu.id,
        gpu_count=count,
        cpu_id=None,
        vcpus=0,
        memory_gb=0,
        cuda_version=cuda[-1],
        usd_per_h=round(usd * count, 6),
    )


@follows("unknown-gpu", "cpu-not-community")
def _place_cpu(state: State, catalogue: Catalogue, body: Mapping[str, Any]) -> Placement:
    cpu, count = cpu_of(body["cpu"]["id"]), int(body["cpu"]["vcpuCount"])
    if cpu is None:
        raise Problem(400, f"cpu flavor {body['cpu']['id']!r} is not available")
    if count & (count - 1) or count > cpu.most:
        raise Problem(400, f"cpu.vcpuCount must be a power of two up to {cpu.most}")
    if body.get("cloud") == "COMMUNITY":
        raise Problem(400, "CPU pods are available on the SECURE cloud only")
    free = {one: catalogue.free_vcpus(cpu, one) for one in _candidates(state, body)}
    return Placement(
        data_center=_choose(free, count, bool(body.get("dataCenterIds"))),
        gpu_id=None,
        gpu_count=0,
        cpu_id=cpu.id,
        vcpus=count,
        memory_gb=int(count * cpu.ram_gb_per_vcpu),
        cuda_version=None,
        usd_per_h=round(catalogue.usd_per_vcpu_h(cpu) * count, 6),
    )


@follows("data-centers-enforced", "unknown-data-center")
def _candidates(state: State, body: Mapping[str, Any]) -> list[str]:
    """Data centres it may go to, best first where it has wishes."""
    network = body.get("mounts", {}).get("network")
    if network:
        wished = [state.volumes[network[0]["volumeId"]].data_center]
    else:
        wished = body.get("dataCenterIds") or [one.id for one in DATA_CENTERS]
    found = [center for one in wished if (center := data_center_of(one)) is not None]
    if body.get("globalNetworking"):
        found = [one for one in found if one.global_network]
        if not found:
            raise Problem(400, "global networking is not available in these data centers")
    return [one.id for one in found]


@follows("scheduler")
def _choose(free: Mapping[str, int], count: int, wished: bool) -> str:
    fitting = [one for one, units in free.items() if units >= count]
    if not fitting:
        raise no_capacity()
    return fitting[0] if wished else max(fitting, key=lambda one: free[one])


def edited_mounts(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """PATCH of mounts: the kind and the volume stay (Mounts of the contract).

    Raises:
        Problem: 400.
    """
    if "persistent" in new and "network" in new:
        raise Problem(400, "mounts.persistent and mounts.network are mutually exclusive")
    for kind, given in new.items():
        if kind == "network" and not given:
            raise Problem(400, "clearing mounts is not supported")
        if not old.get(kind):
            raise Problem(400, f"this pod was created without mounts.{kind}")
        if kind == "network" and given[0]["volumeId"] != old[kind][0]["volumeId"]:
            raise Problem(400, "the network volume of a pod cannot be changed")
        if kind == "persistent" and given["size"] < old[kind]["size"]:
            raise Problem(400, "mounts.persistent.size cannot be reduced")
    return {**old, **new}
