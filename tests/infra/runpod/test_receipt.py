"""Receipts from the simulator, whose meter is what they are held against."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.ended import ended_since
from infra.hosts.keys import ensure_key
from infra.journal import Journal
from infra.receipt import keep_receipt
from infra.runpod.client import RunpodClient
from infra.runpod.errors import ServiceError
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.receipt import receipt_of
from infra.runpod.rent import Renter
from infra.runpod.simulator.run import Simulator, running
from tests.infra.runpod.things import NOW, SPEC, STAMP, lease, volume_lease

HOUR = timedelta(hours=1)


@pytest.fixture
def sim(tmp_path) -> Iterator[Simulator]:
    with running(tmp_path / "runpod", grace_s=0.5) as simulator:
        yield simulator


@pytest.fixture
def renter(sim, tmp_path, monkeypatch) -> Iterator[Renter]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with RunpodClient(sim.key, sim.address, sleep=lambda _: None) as client:
        yield Renter(client, Journal(tmp_path / "leases"), sleep=lambda _: None)


def advance(sim: Simulator, hours: float) -> None:
    """The service's clock alone; ours stays."""
    with sim.simulation.lock:
        sim.simulation.clock.advance(3600 * hours)


def test_a_pod_of_two_hours_and_its_volume_by_clock_and_bill(sim, renter) -> None:
    volume = renter.client.create_volume(name=f"{STAMP}-volume", size_gb=20, data_center="EU-RO-1")
    body = {"name": SPEC.name, "image": "x/y:1", "gpu": {"id": "NVIDIA GeForce RTX 4090"}, "args": "sleep 99"}
    pod = renter.client.create_pod({**body, "disk": 50, "env": {KEYS_VARIABLE: ensure_key(STAMP)}})
    start = datetime.now(UTC) - 2 * HOUR
    renter.journal.write(
        lease(
            account=sim.address, id=pod.id, rented_at=start, lease_until=start + 6 * HOUR,
            price_usd_per_h=pod.cost_usd_per_h,
        )
    )  # fmt: skip
    renter.journal.write(volume_lease(account=sim.address, id=volume.id, rented_at=start))
    advance(sim, 2)
    early = receipt_of(renter, stack="runpod", stamp=STAMP)
    assert [(one.kind, one.id) for one in early.left] == [("pod", pod.id), ("volume", volume.id)]
    assert (early.ended, early.clean, early.listed["pods"]) == ((), False, (1, 1))
    renter.give_back(SPEC.name, "destroyed")
    renter.client.delete_volume(volume.id)
    told = receipt_of(renter, stack="runpod", stamp=STAMP, worst_case_usd=5.2)
    assert told.clean
    assert told.simulated
    machine, storage = told.ended
    assert machine.hours == pytest.approx(2, abs=0.01)
    # Our clock, with the disk that the price leaves out, and the service's own meter.
    assert machine.clock_usd == pytest.approx(2 * (pod.cost_usd_per_h + 50 * 0.10 / 730), rel=0.01)
    assert machine.billed_usd == pytest.approx(machine.clock_usd, rel=0.01)
    assert machine.worst_usd == pytest.approx(6 * (0.8 + 50 * 0.10 / 730), rel=0.01)
    assert storage.billed_usd == pytest.approx(storage.clock_usd, rel=0.05)
    assert told.billed_usd == pytest.approx(sim.meter()["total_usd"], rel=0.01)
    assert (storage.reason, told.listed["volumes"]) == ("it was gone when we looked", (0, 0))
    keep_receipt(told)
    assert receipt_of(renter, stack="runpod", stamp=STAMP).ended == ()


def test_bills_that_cannot_be_read_are_noted_and_no_bill_is_no_zero(sim, renter, monkeypatch) -> None:
    renter.journal.write(lease(account=sim.address, id="old", rented_at=NOW - HOUR, ended_at=NOW))
    (one,) = receipt_of(renter, stack="runpod", stamp=STAMP).ended
    assert one.billed_usd is None

    def down(*_: object, **__: object) -> None:
        raise ServiceError("Runpod: read the bills of pods: no answer")

    monkeypatch.setattr(renter.client, "pod_bills", down)
    told = receipt_of(renter, stack="runpod", stamp=STAMP)
    assert told.notes == ("no bill: Runpod: read the bills of pods: no answer",)
    assert told.billed_usd is None


def test_an_account_that_cannot_be_asked_gives_no_receipt(sim, renter, monkeypatch) -> None:
    def down() -> None:
        raise ServiceError("Runpod: list pods: no answer")

    monkeypatch.setattr(renter.client, "pods", down)
    with pytest.raises(ServiceError):
        receipt_of(renter, stack="runpod", stamp=STAMP)


def test_others_and_another_stack_are_counted_not_told(sim, renter) -> None:
    renter.client.create_pod(
        {"name": "stranger", "image": "x/y:1", "gpu": {"id": "NVIDIA GeForce RTX 4090"}, "args": "sleep 99"}
    )
    told = receipt_of(renter, stack="runpod", stamp=STAMP)
    assert told.clean
    assert told.listed == {"pods": (0, 1), "volumes": (0, 0)}


def test_each_lease_stands_in_one_receipt() -> None:
    ended = [
        lease(ended_at=NOW - HOUR),
        lease(ended_at=NOW + HOUR),
        lease(),
        lease(id="", ended_at=NOW + HOUR),
    ]
    assert ended_since(ended, None) == ended[:2]
    assert ended_since(ended, NOW) == ended[1:2]
