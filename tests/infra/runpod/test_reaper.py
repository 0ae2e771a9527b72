"""Reaping at the simulator: ours end and are proven gone, others live on, an error stops nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.hosts.keys import ensure_key
from infra.journal import Journal
from infra.runpod.client import RunpodClient
from infra.runpod.errors import ServiceError
from infra.runpod.guard import plan_reaping
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.reaper import look, reap
from infra.runpod.rent import Renter
from infra.runpod.simulator.run import Simulator, running
from infra.runpod.spec import LEASE_VARIABLE, SPEC_VARIABLE
from tests.infra.runpod.things import ELSEWHERE, SPEC, STAMP, lease, volume_lease

HOUR = timedelta(hours=1)


@pytest.fixture
def sim(tmp_path) -> Iterator[Simulator]:
    with running(tmp_path / "runpod", grace_s=0.5) as simulator:
        yield simulator


@pytest.fixture
def renter(sim, tmp_path, monkeypatch) -> Iterator[Renter]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with RunpodClient(sim.key, sim.address, sleep=lambda _: None) as client:
        yield Renter(client, Journal(tmp_path / "leases"), sleep=lambda _: None)


def rent(
    renter: Renter, until: datetime | None, *, name: str = SPEC.name, ours: bool = True, volume=None, key=""
):
    env = {SPEC_VARIABLE: json.dumps(SPEC.as_dict()), KEYS_VARIABLE: key or ensure_key(STAMP)} if ours else {}
    if until is not None:
        env[LEASE_VARIABLE] = f"{until.timestamp():.0f}"
    body = {
        "name": name,
        "image": "x/y:1",
        "gpu": {"id": "NVIDIA GeForce RTX 4090"},
        "args": "sleep 300",
        "env": env,
    }
    if volume is not None:
        body["mounts"] = {"network": [{"volumeId": volume.id, "path": str(volume.path)}]}
    return renter.client.create_pod(body)


def actions(found) -> list[tuple[str, str]]:
    return [(one.action, one.id) for one in found]


def test_what_outlived_its_lease_ends_and_all_else_lives(sim, renter) -> None:
    now = datetime.now(UTC)
    late, living = rent(renter, now - HOUR), rent(renter, now + HOUR)
    stranger = rent(renter, now - HOUR, ours=False)
    done = list(reap(renter, look(renter)))
    assert [(one.finding.id, one.error) for one in done] == [(late.id, "")]
    assert {one.id for one in renter.client.pods()} == {living.id, stranger.id}
    assert late.id not in sim.meter()["pods"] or not sim.meter()["pods"][late.id].get("running_usd_per_h")
    (kept,) = [one for one in renter.journal.leases() if one.id == late.id]
    assert kept.ended_at is not None
    assert "its lease ran out" in kept.end_reason
    assert list(reap(renter, look(renter))) == []


def test_what_another_machine_rented_ends_by_its_lease_and_gets_none_here(sim, renter) -> None:
    renter.journal.write(lease(account=sim.address, id="", rented_at=datetime.now(UTC)))
    living = rent(renter, datetime.now(UTC) + HOUR, key=ELSEWHERE)
    list(reap(renter, look(renter)))
    (ours,) = renter.journal.leases()
    assert ours.id == "", "it may still come; theirs is not taken for it"
    renter.journal.drop(ours)
    late = rent(renter, datetime.now(UTC) - HOUR, key=ELSEWHERE)
    assert [(one.finding.id, one.error) for one in reap(renter, look(renter))] == [(late.id, "")]
    assert [one.id for one in renter.client.pods()] == [living.id]
    assert renter.journal.leases() == []


def test_an_error_of_one_is_told_and_the_next_one_ends(sim, renter, monkeypatch) -> None:
    now = datetime.now(UTC)
    first, second = sorted((rent(renter, now - HOUR).id, rent(renter, now - HOUR).id))
    really = renter.client.delete_pod

    def refuses(pod_id: str) -> None:
        if pod_id == first:
            raise ServiceError("Runpod: end pod: no answer")
        really(pod_id)

    monkeypatch.setattr(renter.client, "delete_pod", refuses)
    told = {one.finding.id: one.error for one in reap(renter, look(renter))}
    assert told == {first: "Runpod: end pod: no answer", second: ""}
    assert [one.id for one in renter.client.pods()] == [first]


def test_an_end_that_is_not_proven_is_an_error(renter, monkeypatch) -> None:
    pod = rent(renter, datetime.now(UTC) - HOUR)
    monkeypatch.setattr(renter.client, "delete_pod", lambda _: None)
    (one,) = reap(renter, look(renter))
    assert f"pod {pod.id} ({SPEC.name}) is still there" in one.error
    assert renter.journal.leases()[0].ended_at is None


def test_a_pod_that_died_unseen_is_settled_by_the_bill(sim, renter) -> None:
    pod = rent(renter, datetime.now(UTC) + HOUR)
    kept = renter.journal.write(
        lease(
            account=sim.address, id=pod.id, rented_at=datetime.now(UTC), lease_until=datetime.now(UTC) + HOUR
        )
    )
    sim.kill_pod(pod.id)
    assert [(one.finding.action, one.error) for one in reap(renter, look(renter))] == [("settle", "")]
    settled = renter.journal.newest(sim.address, kept.name)
    assert settled.ended_at is not None
    assert settled.ended_at <= datetime.now(UTC)


def test_what_was_rented_while_we_looked_is_not_settled(sim, renter) -> None:
    found = look(renter)
    pod = rent(renter, datetime.now(UTC) + HOUR)
    kept = renter.journal.write(lease(account=sim.address, id=pod.id))
    # A list that lags behind: the lease is known, the pod is not in it yet.
    lagging = plan_reaping([], [], [kept], datetime.now(UTC))
    assert actions(lagging) == [("settle", pod.id)]
    assert list(reap(renter, [*found, *lagging])) == []
    assert renter.journal.newest(sim.address, kept.name).ended_at is None


def test_leases_of_another_account_are_never_looked_for_here(renter) -> None:
    renter.journal.write(lease(account="https://api.runpod.io/v2", id="real"))
    assert look(renter) == []
    list(reap(renter, look(renter)))
    assert renter.journal.leases()[0].ended_at is None


def test_a_lost_answer_gets_its_pod_back(sim, renter) -> None:
    renter.journal.write(lease(account=sim.address, id="", rented_at=datetime.now(UTC) - HOUR))
    pod = rent(renter, datetime.now(UTC) + HOUR)
    assert actions(look(renter)) == [("keep", pod.id)]
    assert list(reap(renter, look(renter))) == []
    assert renter.journal.living(sim.address, SPEC.name).id == pod.id


def test_a_volume_goes_only_when_its_stack_says_so(sim, renter) -> None:
    made = renter.client.create_volume(name=f"{STAMP}-volume", size_gb=20, data_center="EU-RO-1")
    renter.journal.write(volume_lease(account=sim.address, id=made.id))
    for more in ({}, {"stamp": STAMP}, {"remove_volumes": True}):
        list(reap(renter, look(renter, **more)))
    assert renter.client.volume(made.id) is not None
    (one,) = reap(renter, look(renter, stamp=STAMP, remove_volumes=True))
    assert one.error == ""
    assert renter.client.volume(made.id) is None
    assert renter.journal.leases()[0].ended_at is not None


def test_a_volume_that_is_gone_is_settled_without_asking_for_a_pods_bill(sim, renter) -> None:
    renter.journal.write(volume_lease(account=sim.address, id="gone"))
    assert [one.error for one in reap(renter, look(renter))] == [""]
    assert renter.journal.leases()[0].end_reason == "it was gone when we looked"
