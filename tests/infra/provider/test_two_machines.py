"""Two machines with the same project and stack at one account: neither ends what the other one rented."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.errors import HostError
from infra.journal import Journal
from infra.provider.discard import DISCARD
from infra.provider.table import Call, Made
from infra.provider.tables.network_volume import NetworkVolumeTable
from infra.provider.tables.pod import PodTable
from infra.provider.tables.pod_ready import PodReadyTable
from infra.runpod.errors import RefusedError
from infra.runpod.host import pod_host, pod_remains
from infra.runpod.simulator.run import running

THEIRS = "rented from another machine.*nothing was ended"


@dataclass
class Account:
    """What Anna rented, seen by Ben."""

    volume_inputs: dict
    volume: Made
    pod_inputs: dict
    pod: Made
    service: object

    def pods(self) -> list[str]:
        return [one["name"] for one in self.service.meter()["pods"] if one["usd_per_h"]]


def call(**variables: str) -> Call:
    return Call(cancelled=threading.Event(), variables=variables)


@pytest.fixture
def account(tmp_path: Path, monkeypatch):
    with running(tmp_path / "account", allowed=tmp_path / "pods", provision_s=0.1, start_s=0.1) as service:
        for name, value in {**service.variables(), "XDG_STATE_HOME": str(tmp_path / "anna")}.items():
            monkeypatch.setenv(name, value)
        both = {"stamp": "sonarstack-t-000000", "run": "home", "gpus": ["RTX 4090"], "maxUsdPerH": 0.9}
        volume_inputs = {**both, "name": "sonarstack-t-volume", "sizeGib": 10}
        volume = NetworkVolumeTable().create(call(), volume_inputs)
        pod_inputs = {
            **both, "maxHours": 1, "image": "x/y:1", "workspace": str(tmp_path / "pods" / "workspace"),
            "volumeId": volume.id, "dataCenters": [volume.outputs["dataCenter"]],
        }  # fmt: skip
        pod = PodTable().create(call(), pod_inputs)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "ben"))
        yield Account(volume_inputs, volume, pod_inputs, pod, service)


def test_up_takes_up_neither_volume_nor_pod(account) -> None:
    with pytest.raises(RefusedError, match=THEIRS):
        NetworkVolumeTable().create(call(), account.volume_inputs)
    with pytest.raises(RefusedError, match=THEIRS):
        PodTable().create(call(), account.pod_inputs)
    with pytest.raises(RefusedError, match=THEIRS):
        PodReadyTable().create(call(), {"pod": account.pod.id, "podId": account.pod.outputs["podId"]})
    assert account.pods() == [account.pod.id]
    assert Journal().leases() == []


def test_destroy_by_a_shared_state_ends_it_only_where_its_run_is_given_up(account) -> None:
    outputs = account.pod.outputs
    host = {"pod": account.pod.id, "identity": "sonarstack-t-000000"}
    with pytest.raises(HostError, match=r"bring its ~/\.local/state/sonarstack here"):
        pod_host(host)
    left = {**account.pod_inputs, "dataCenter": outputs["dataCenter"]}
    with pytest.raises(RefusedError, match=THEIRS), pod_remains({**host, "remains": left}):
        pass
    with pytest.raises(RefusedError, match=THEIRS):
        PodTable().delete(call(), account.pod.id, account.pod_inputs, outputs)
    with pytest.raises(RefusedError, match=THEIRS):
        NetworkVolumeTable().delete(
            call(**{DISCARD: "1"}), account.volume.id, account.volume_inputs, account.volume.outputs
        )
    assert account.pods() == [account.pod.id]
    PodTable().delete(call(**{DISCARD: "1"}), account.pod.id, account.pod_inputs, outputs)
    NetworkVolumeTable().delete(call(), account.volume.id, account.volume_inputs, account.volume.outputs)
    assert account.pods() == []


def test_refresh_tells_of_it_and_takes_no_lease_for_it(account) -> None:
    outputs = account.pod.outputs
    seen = PodTable().read(call(), account.pod.id, account.pod_inputs, outputs)
    assert seen is not None
    assert {key: seen[key] for key in ("podId", "leaseUntil")} == {
        key: outputs[key] for key in ("podId", "leaseUntil")
    }
    assert Journal().leases() == []
