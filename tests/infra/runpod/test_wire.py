"""Every example of the contract is readable, and one with a field less is told in one line."""

import httpx
import pytest

from infra.runpod import wire
from infra.runpod.errors import ServiceError
from infra.runpod.transport import read

EXAMPLES = [
    (wire.Pod, "/v2/pods/{id}", None, "Pod"),
    (wire.GpuType, "/v2/catalog/gpus", "gpus", "GpuType"),
    (wire.CpuType, "/v2/catalog/cpus", "cpus", "CpuType"),
    (wire.DataCenter, "/v2/catalog/datacenters", "dataCenters", "DataCenter"),
    (wire.NetworkVolume, "/v2/network-volumes", "networkVolumes", "NetworkVolume"),
    (wire.RegistryCredential, "/v2/registries", "registries", "Registry"),
    (wire.PodBill, "/v2/billing/pods", "records", "PodBillingRecord"),
    (wire.VolumeBill, "/v2/billing/network-volumes", "records", "NetworkVolumeBillingRecord"),
]
READ = {
    "Pod": {"id", "name", "status", "cost", "cloud", "dataCenterId", "ssh", "runtime", "mounts", "createdAt"}
    | {"image", "disk", "ports", "env", "args"},
    "GpuType": {"id", "name", "memory", "secure", "community", "price", "maxCount"},
    "CpuType": {"id", "name", "vcpu", "ramGbPerVcpu", "price"},
    "DataCenter": {"id", "name", "region", "networkVolumeTypes"},
    "NetworkVolume": {"id", "name", "size", "dataCenter"},
    "Registry": {"id", "name"},
    "PodBillingRecord": {"podId", "startTime", "endTime", "totalAmount", "gpuAmount", "cpuAmount", "diskAmount"},
    "NetworkVolumeBillingRecord": {
        "networkVolumeId", "startTime", "endTime", "totalAmount", "standardAmount", "highPerformanceAmount",
    },
}  # fmt: skip


@pytest.fixture(params=EXAMPLES, ids=lambda one: one[3])
def example(request, contract) -> tuple:
    kind, path, field, schema = request.param
    whole = contract.example(path)
    one = whole if field is None else whole[field][0]
    contract.check(schema, one)
    return kind, one, schema


def test_an_answer_without_a_field_that_we_read_is_told_in_one_line(example) -> None:
    kind, one, schema = example
    read(kind.read, one, "look")
    for name in one:
        less = {key: value for key, value in one.items() if key != name}
        if name in READ[schema]:
            with pytest.raises(
                ServiceError, match=f"look: the answer lacks '{name}', which is not what its contract"
            ):
                read(kind.read, less, "look")
        else:
            read(kind.read, less, "look")


@pytest.mark.parametrize("value", [None, "text", 7, [1], {"a": 1}])
def test_an_answer_with_a_field_of_another_kind_is_read_or_told_in_one_line(example, value) -> None:
    kind, one, _ = example
    for name in one:
        told = ""
        try:
            read(kind.read, {**one, name: value}, "look")
        except ServiceError as error:
            told = str(error)
        assert "\n" not in told


@pytest.mark.parametrize("price", [{"secure": None, "community": 0.3}, {"community": 0.3}])
def test_a_price_that_is_missing_is_none(contract, price) -> None:
    one = contract.example("/v2/catalog/gpus")["gpus"][0]
    gpu = wire.GpuType.read({**one, "price": price})
    assert (gpu.secure_usd_per_h, gpu.community_usd_per_h) == (0.0, 0.3)


def test_a_pod_that_does_not_run_has_no_runtime_and_no_ssh(contract) -> None:
    one = contract.example("/v2/pods/{id}")
    for runtime in (None, {}, {"gpus": None}, {"gpus": [{}]}):
        pod = wire.Pod.read({**one, "runtime": runtime, "ssh": {"proxy": None, "direct": None}})
        assert pod.ssh is None
        assert sum(pod.gpu_percent) == 0
    running = {"gpus": [{"util": 94, "memoryUtil": 78}, {"util": 1, "memoryUtil": 2}]}
    pod = wire.Pod.read({**one, "runtime": running, "mounts": {"network": [{"volumeId": "v", "path": "/w"}]}})
    assert (pod.gpu_percent, pod.gpu_memory_percent, pod.volume_id) == ((94, 1), (78, 2), "v")


def test_the_examples_are_those_of_answers(contract) -> None:
    """Creating answers a pod in its first state, whose runtime is empty."""
    pod = wire.Pod.read(contract.example("/v2/pods", "post", "201"))
    assert (pod.status, pod.ssh, pod.gpu_percent) == ("PROVISIONING", None, ())
    assert httpx.codes.CREATED == 201
