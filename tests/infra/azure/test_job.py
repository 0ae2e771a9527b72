"""A machine's job against the stand-in: its notes, what Azure says of its machine, its log, its end."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from infra.azure.arm import Arm
from infra.azure.blob_store import BlobStore
from infra.azure.errors import AccountError
from infra.azure.job import VmJob
from infra.azure.names import group_name
from infra.errors import JobError
from infra.jobs.job import log_tail
from infra.machines import open_work
from infra.vm import stopping
from infra.vm.stopping import STOP
from tests.infra.azure.azurite import Azurite
from tests.infra.azure.desk import arm_server
from tests.infra.azure.fake_arm import LOCATION, SUBSCRIPTION, FakeArm
from tests.infra.azure.memory_store import MemoryStore

__all__ = ["arm_server"]
STAMP = "sonarstack-night-abc123"
GROUP, MACHINE, NOTES = group_name(STAMP), f"{STAMP}-01234567-0", "night/host/01234567"
WHERE = {
    "kind": "vm",
    "subscription": SUBSCRIPTION,
    "group": GROUP,
    "location": LOCATION,
    "machine": MACHINE,
    "bucket": "az://runs",
    "account": "nightaccount",
    "notes": NOTES,
    "owner": STAMP,
}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def job(arm_server: FakeArm, store: MemoryStore) -> Iterator[VmJob]:
    with Arm(pause=lambda _: None) as arm:
        yield VmJob(WHERE, store=store, arm=arm, poll_s=0.01)


def note(store: Any, name: str, **values: Any) -> None:
    store.put(f"{NOTES}/{name}", json.dumps({"time": time.time(), **values}).encode())


def deletes(fake: FakeArm) -> list[str]:
    return [path for verb, path in fake.asked if verb == "DELETE"]


def test_it_waits_runs_and_ends_by_the_machine_s_word(
    job: VmJob, arm_server: FakeArm, store: MemoryStore
) -> None:
    arm_server.rent(GROUP, MACHINE, state="Creating", power="")
    assert (job.status().state, job.status().reason) == ("waiting", f"{MACHINE} starts")
    note(store, "started.json", machine=f"{STAMP}-01234567-9")
    assert job.status().state == "waiting"  # another try's word
    note(store, "started.json", machine=MACHINE)
    assert job.status().state == "running"
    note(store, "outcome.json", machine=MACHINE, code=0, reason="")
    assert (job.status().state, job.status().outcome) == ("ended", "done")


@pytest.mark.parametrize(("code", "state", "outcome"), [(80, "ended", "deadline"), (1, "failed", "failed")])
def test_codes_are_told_as_everywhere(
    job: VmJob, store: MemoryStore, code: int, state: str, outcome: str
) -> None:
    note(store, "outcome.json", machine=MACHINE, code=code)
    assert (job.status().state, job.status().outcome) == (state, outcome)


def test_a_machine_that_was_taken_back_is_lost_work_that_goes_on_elsewhere(
    job: VmJob, arm_server: FakeArm, store: MemoryStore
) -> None:
    assert job.status().state == "lost"
    assert "told no end; `up` once more goes on from its newest checkpoint" in job.status().reason
    note(store, f"interruptions/{MACHINE}.json", code=83)
    assert job.status().reason.startswith("Azure took its machine back; `up` once more")
    arm_server.rent(GROUP, MACHINE, state="Deleting")
    assert job.status().state == "lost"


def test_a_machine_that_was_switched_off_is_lost_work_too(job: VmJob, arm_server: FakeArm) -> None:
    arm_server.rent(GROUP, MACHINE, power="PowerState/deallocated")
    assert job.status().state == "lost"
    assert "was switched off" in job.status().reason


def test_a_machine_that_tells_and_goes_off_between_the_two_looks_is_no_loss(
    job: VmJob, arm_server: FakeArm, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm_server.rent(GROUP, MACHINE, power="PowerState/deallocated")
    state = VmJob._state

    def told_meanwhile(self: VmJob) -> object:
        note(store, "outcome.json", machine=MACHINE, code=0)
        return state(self)

    monkeypatch.setattr(VmJob, "_state", told_meanwhile)
    assert job.status().state == "ended"


def test_a_machine_that_azure_could_not_start_is_lost_and_one_with_a_failed_extension_is_not(
    job: VmJob, arm_server: FakeArm, store: MemoryStore
) -> None:
    arm_server.rent(GROUP, MACHINE, state="Failed", power="")
    assert job.status().reason.startswith("Azure could not start its machine; `up` once more")
    arm_server.rent(GROUP, MACHINE, state="Failed")
    note(store, "started.json", machine=MACHINE)
    assert job.status().state == "running"


def test_an_end_that_is_told_between_two_looks_is_not_missed(arm_server: FakeArm) -> None:
    class Late(MemoryStore):
        def get(self, key: str, offset: int = 0) -> bytes | None:
            found = super().get(key, offset)
            note(self, "outcome.json", machine=MACHINE, code=0)
            return found

    with Arm() as arm:
        assert VmJob(WHERE, store=Late(), arm=arm).status().outcome == "done"


def test_stop_asks_the_machine_ends_it_and_waits_until_it_is_gone(
    job: VmJob, arm_server: FakeArm, store: MemoryStore
) -> None:
    where = arm_server.rent(GROUP, MACHINE)
    note(store, "started.json", machine=MACHINE)
    status = job.stop(grace_s=0.05)
    assert arm_server.bodies == [{"commandId": "RunShellScript", "script": [STOP]}]
    assert deletes(arm_server) == [where]
    assert arm_server.machines == {}
    assert status.state == "lost"  # this machine had no program to say how it went


def test_stop_of_a_job_that_is_over_only_makes_sure_of_the_machine(
    job: VmJob, arm_server: FakeArm, store: MemoryStore
) -> None:
    where = arm_server.rent(GROUP, MACHINE)
    note(store, "outcome.json", machine=MACHINE, code=0)
    assert job.stop().outcome == "done"
    assert (deletes(arm_server), arm_server.bodies) == ([where], [])


def test_a_machine_that_cannot_be_asked_is_ended_all_the_same(job: VmJob, arm_server: FakeArm) -> None:
    where = arm_server.rent(GROUP, MACHINE, state="Creating", power="")
    arm_server.fail("POST", "/runCommand", 409, "OperationNotAllowed")
    job.stop(grace_s=0.02)
    assert deletes(arm_server) == [where]


def test_who_may_not_ask_is_told(job: VmJob, arm_server: FakeArm) -> None:
    arm_server.rent(GROUP, MACHINE)
    arm_server.fail("POST", "/runCommand", 403, "AuthorizationFailed")
    with pytest.raises(AccountError, match="may not ask Azure for the machine to stop its job"):
        job.stop(grace_s=0.02)


def test_a_machine_that_does_not_go_is_told(
    job: VmJob, arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ENDS_WITHIN_S", 0.05)
    arm_server.rent(GROUP, MACHINE)
    monkeypatch.setattr(arm_server, "_goes", lambda key: None)
    with pytest.raises(JobError, match=f"the machine of {MACHINE} does not go; look at it in Azure's portal"):
        job.stop(grace_s=0.01)


def test_its_log_is_read_from_a_byte_on(job: VmJob, store: MemoryStore) -> None:
    assert job.read_log() == b""
    store.put(f"{NOTES}/job.log", b"".join(f"line {n}\n".encode() for n in range(30)))
    assert log_tail(job, 2) == "line 28\nline 29"
    assert job.read_log(len(b"line 0\n")).startswith(b"line 1\n")


def test_remove_leaves_nothing_of_the_notes(job: VmJob, store: MemoryStore) -> None:
    note(store, "outcome.json", code=0)
    note(store, "interruptions/m.json", code=83)
    store.put("night/run/run.json", b"{}")
    job.remove()
    assert list(store.keys("")) == ["night/run/run.json"]


def test_a_damaged_note_is_told_by_its_name(job: VmJob, store: MemoryStore) -> None:
    store.put(f"{NOTES}/outcome.json", b"{")
    with pytest.raises(JobError, match=r"az://runs/night/host/01234567/outcome\.json is damaged"):
        job.status()


def test_its_notes_are_read_from_real_blobs(arm_server: FakeArm, azurite: Azurite) -> None:
    store = BlobStore("nightaccount", "runs", client=azurite.service().get_container_client("runs"))
    arm_server.rent(GROUP, MACHINE)
    with Arm() as arm:
        job = VmJob(WHERE, store=store, arm=arm)
        assert (job.status().state, job.read_log()) == ("waiting", b"")
        note(store, "started.json", machine=MACHINE)
        store.put(f"{NOTES}/job.log", b"one\ntwo\n")
        assert (job.status().state, job.read_log(4), job.read_log(8)) == ("running", b"two\n", b"")
        note(store, f"interruptions/{MACHINE}.json", code=83)
        arm_server.machines.clear()
        assert "Azure took its machine back" in job.status().reason
        job.remove()
    assert list(store.keys(NOTES)) == []


def test_an_output_leads_to_it(arm_server: FakeArm) -> None:
    assert isinstance(open_work(WHERE), VmJob)
