"""Two pods of one name, the older one of a request whose answer was lost: the job is on the younger."""

import threading

import pytest

from infra.journal import Journal
from infra.provider.table import Call, Made
from infra.provider.tables.pod import PodTable
from infra.provider.tables.pod_ready import PodReadyTable
from infra.runpod.account import open_account
from infra.runpod.host import pod_is_gone
from infra.runpod.simulator.run import running
from infra.runpod.spec import spec_from_inputs
from tests.sshd import missing_programs


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    with running(tmp_path / "account", allowed=tmp_path / "pods", provision_s=0.1, start_s=0.1) as service:
        for name, value in {**service.variables(), "XDG_STATE_HOME": str(tmp_path / "state")}.items():
            monkeypatch.setenv(name, value)
        yield {
            "stamp": "sonarstack-t-000000", "run": "home", "gpus": ["RTX 4090"], "maxUsdPerH": 0.9, "maxHours": 1,
            "image": "runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404",
            "workspace": str(tmp_path / "pods" / "workspace"),
        }  # fmt: skip


@pytest.fixture
def made(inputs) -> Made:
    """The younger one, which the lease speaks of; the older is at the account all the same."""
    first = PodTable().create(call(), inputs)
    with open_account() as renter:
        renter.journal.drop(renter.journal.leases()[0])
        lease = renter.rent(spec_from_inputs(inputs)).lease
        assert len(renter.client.pods_named(first.id)) == 2
    return Made(id=first.id, outputs={**first.outputs, "podId": lease.id})


def call() -> Call:
    return Call(cancelled=threading.Event())


def test_state_preview_and_refresh_know_the_one_of_the_lease(inputs, made) -> None:
    assert PodTable().moved(call(), made.id, inputs, made.outputs) == []
    seen = PodTable().read(call(), made.id, inputs, made.outputs)
    assert seen is not None
    assert seen["podId"] == made.outputs["podId"]
    assert not pod_is_gone(made.id)
    assert [one.id for one in Journal().leases()] == [made.outputs["podId"]]


def test_the_next_up_keeps_it(inputs, made) -> None:
    kept = PodTable().update(call(), made.id, inputs, made.outputs)
    with open_account() as renter:
        assert [one.id for one in renter.client.pods()] == [kept["podId"]] == [made.outputs["podId"]]


@pytest.mark.skipif(missing_programs() is not None, reason=missing_programs() or "")
def test_once_it_is_ready_the_other_one_is_ended(made) -> None:
    PodReadyTable().create(call(), {"pod": made.id, "podId": made.outputs["podId"]})
    with open_account() as renter:
        assert [one.id for one in renter.client.pods()] == [made.outputs["podId"]]
