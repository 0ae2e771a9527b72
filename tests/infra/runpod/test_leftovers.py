"""What no state knows of is ended: pods that were never ready, volumes without one; others are not touched."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.hosts.keys import ensure_key
from infra.journal import Journal, Lease
from infra.runpod.client import RunpodClient
from infra.runpod.errors import RefusedError
from infra.runpod.leftovers import end_leftovers
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.rent import Renter
from infra.runpod.simulator.run import running
from tests.infra.runpod.simulator.asking import POD

STAMP = "sonarstack-t-000000"


@pytest.fixture
def renter(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with (
        running(tmp_path / "account", allowed=tmp_path / "pods") as service,
        RunpodClient(service.key, service.address) as client,
    ):
        yield Renter(client, Journal(tmp_path / "leases"))


def lease(renter: Renter, **more) -> Lease:
    values = {
        "cloud": "runpod",
        "account": renter.client.address,
        "kind": "volume",
        "name": f"{STAMP}-volume",
        "stamp": STAMP,
        "run": "home",
        "rented_at": datetime.now(UTC),
        "lease_until": None,
        "price_usd_per_h": 0.01,
    }
    return renter.journal.write(Lease(**{**values, **more}))


def ours() -> dict[str, str]:
    return {KEYS_VARIABLE: ensure_key(STAMP)}


def make(renter: Renter) -> str:
    return renter.client.create_volume(name=f"{STAMP}-volume", size_gb=10, data_center="EU-RO-1").id


@pytest.mark.parametrize("answered", [True, False])
def test_an_empty_volume_goes(renter, answered) -> None:
    made = make(renter)
    lease(renter, id=made if answered else "")
    assert end_leftovers(renter, STAMP) == [f"{STAMP}-volume"]
    assert renter.client.volumes() == []
    assert all(one.ended_at for one in renter.journal.leases())
    assert end_leftovers(renter, STAMP) == []


def test_one_that_a_pod_was_ready_on_stays(renter) -> None:
    kept = lease(renter, id=make(renter))
    lease(
        renter,
        kind="pod",
        name=f"{STAMP}-1",
        id="p",
        address="ssh://root@h:1",
        rented_at=kept.rented_at + timedelta(minutes=1),
    )
    assert end_leftovers(renter, STAMP) == []
    assert len(renter.client.volumes()) == 1


def test_a_pod_that_was_never_ready_goes_and_its_volume_after_it(renter, tmp_path) -> None:
    kept = lease(renter, id=make(renter))
    mounts = {"network": [{"volumeId": kept.id, "path": str(tmp_path / "pods" / "workspace")}]}
    made = renter.client.create_pod({**POD, "name": f"{STAMP}-pod", "mounts": mounts, "env": ours()})
    lease(renter, kind="pod", name=f"{STAMP}-pod", rented_at=kept.rented_at + timedelta(minutes=1))
    assert end_leftovers(renter, STAMP) == [f"{STAMP}-pod", f"{STAMP}-volume"]
    assert renter.client.pods() == []
    assert renter.client.volumes() == []
    told = {one.kind: one for one in renter.journal.leases()}
    assert told["pod"].id == made.id
    assert all(one.ended_at for one in told.values())


def test_a_volume_that_another_machines_pod_is_on_stays(renter, tmp_path) -> None:
    kept = lease(renter, id=make(renter))
    mounts = {"network": [{"volumeId": kept.id, "path": str(tmp_path / "pods" / "workspace")}]}
    made = renter.client.create_pod({**POD, "name": f"{STAMP}-pod", "mounts": mounts})
    with pytest.raises(RefusedError, match=f"{made.id} .*another machine.*nothing was ended"):
        end_leftovers(renter, STAMP)
    assert len(renter.client.volumes()) == 1


def test_a_pod_that_was_ready_is_left_to_reap(renter) -> None:
    made = renter.client.create_pod({**POD, "name": f"{STAMP}-pod"})
    lease(renter, kind="pod", name=f"{STAMP}-pod", id=made.id, address="ssh://root@h:1")
    assert end_leftovers(renter, STAMP) == []
    assert [one.id for one in renter.client.pods()] == [made.id]


def test_another_stacks_stays(renter) -> None:
    lease(renter, id=make(renter), stamp="sonarstack-other-111111")
    assert end_leftovers(renter, STAMP) == []
    assert len(renter.client.volumes()) == 1


def test_one_that_was_never_made_is_forgotten(renter) -> None:
    lease(renter)
    assert end_leftovers(renter, STAMP) == []
    assert renter.journal.leases() == []
