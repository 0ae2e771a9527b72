"""The project's own client against the simulator: each call once, and a lost answer that rents no second pod."""

from collections.abc import Iterator

import pytest

from infra.runpod.client import RunpodClient
from infra.runpod.errors import BalanceError, KeyRefusedError, NoCapacityError, RefusedError
from tests.infra.runpod.simulator.asking import GPU, POD, account, eventually


@pytest.fixture
def client(runpod) -> Iterator[RunpodClient]:
    with RunpodClient(runpod.sim.key, runpod.sim.address, sleep=lambda _: None) as client:
        yield client


def test_each_call_once(runpod, client) -> None:
    assert not client.simulated
    volume = client.create_volume(name="v", size_gb=10, data_center="EU-RO-1")
    assert client.simulated
    assert client.grow_volume(volume.id, 20).size_gb == 20
    registry = client.create_registry(name="r", username="u", password="p")
    mounts = {"network": [{"volumeId": volume.id, "path": str(runpod.sim.allowed / "w")}]}
    body = {**POD, "args": "sh -c 'echo hello; sleep 60'", "mounts": mounts, "ports": ["22/tcp"]}
    pod = client.create_pod({**body, "registry": registry.id})
    assert (pod.volume_id, pod.data_center, pod.gpu_id) == (volume.id, "EU-RO-1", GPU)
    eventually(lambda: client.pod(pod.id).status == "RUNNING")
    assert client.pod(pod.id).ssh[0] == "127.0.0.1"
    eventually(lambda: "hello" in [one.line for one in client.logs(pod.id, timeout_s=1.0)])
    assert client.pod_named(POD["name"]).id == pod.id
    assert {one.id for one in client.gpus()} >= {GPU}
    assert client.cpus()
    assert client.data_centers()
    assert client.pod_bills(pod.id)
    assert client.volume_bills(volume.id)
    with pytest.raises(RefusedError, match="in use"):
        client.delete_volume(volume.id)
    client.delete_pod(pod.id)
    assert client.pod(pod.id) is None
    client.delete_pod(pod.id)
    client.delete_volume(volume.id)
    client.delete_registry(registry.id)
    assert client.volumes() == []
    assert client.registries() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "answer_lost"},
        {"kind": "answer_lost_before"},
        {"kind": "status", "status": 502},
        {"kind": "too_many", "count": 2},
    ],
)
def test_one_pod_is_rented_whatever_gets_lost(runpod, client, fault: dict) -> None:
    runpod.sim.faults.arm(**fault, method="POST", path="/v2/pods")
    client.create_pod(POD)
    assert len(client.pods()) == 1
    assert len(runpod.sim.meter()["pods"]) == 1


def test_refusals_are_told_apart(runpod, client, tmp_path) -> None:
    runpod.sim.faults.arm("no_capacity", method="POST")
    with pytest.raises(NoCapacityError):
        client.create_pod(POD)
    with pytest.raises(RefusedError, match="not available"):
        client.create_pod({**POD, "gpu": {"id": "NVIDIA A100 40GB"}})
    with RunpodClient("wrong", runpod.sim.address) as other, pytest.raises(KeyRefusedError):
        other.pods()
    with (
        account(tmp_path / "broke", balance_usd=0.0) as broke,
        RunpodClient(broke.sim.key, broke.sim.address) as poor,
        pytest.raises(BalanceError),
    ):
        poor.create_pod(POD)
