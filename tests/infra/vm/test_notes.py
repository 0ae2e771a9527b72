"""What machines told of a job, and the marks that clouds list: the same for every cloud."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.errors import JobError
from infra.vm.marks import LEASE, STAMP, is_ours, lease_of
from infra.vm.notes import INTERRUPTIONS, OUTCOME, STARTED, Notes
from tests.conftest import REPOSITORY
from tests.infra.azure.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_nothing_is_told_before_the_first_machine(store: MemoryStore) -> None:
    notes = Notes(store, "night/host/a")
    assert (notes.outcome(), notes.started_by(), notes.interrupted(), notes.text("job.log")) == (
        None,
        None,
        (),
        b"",
    )


def test_what_machines_told_is_of_this_job_alone(store: MemoryStore) -> None:
    store.put("night/host/a/started.json", b'{"machine": "m1"}')
    store.put("night/host/a/interruptions/m0.json", b"{}")
    store.put("night/host/ab/interruptions/other.json", b"{}")
    store.put("night/host/ab/outcome.json", b'{"code": 0}')
    notes = Notes(store, "night/host/a")
    assert (notes.started_by(), notes.interrupted(), notes.outcome()) == ("m1", ("m0",), None)
    store.put("night/host/a/outcome.json", b'{"code": 125, "reason": "no image"}')
    told = notes.outcome()
    assert told is not None
    assert (told.state, told.exit_code, told.reason) == ("failed", 125, "no image")
    notes.remove()
    assert sorted(store.blobs) == ["night/host/ab/interruptions/other.json", "night/host/ab/outcome.json"]


def test_a_damaged_note_is_an_error_and_no_end(store: MemoryStore) -> None:
    store.put("a/outcome.json", b'{"code"')
    with pytest.raises(JobError, match=r"az://runs/a/outcome\.json is damaged; remove it"):
        Notes(store, "a").outcome()


def test_the_machine_s_program_writes_under_these_names() -> None:
    program = (REPOSITORY / Path("infra/vm/machine.py")).read_text()
    for name in (OUTCOME, STARTED, f"{INTERRUPTIONS}{{machine}}.json"):
        assert json.dumps(name) in program


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-11-28T12:00:00Z", datetime(2026, 11, 28, 12, tzinfo=UTC)),
        ("2026-11-28T12:00:00", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_lease_is_a_time_with_its_zone_or_none(text: str, until: datetime | None) -> None:
    assert lease_of({LEASE: text}) == until
    assert lease_of({}) is None


def test_ours_is_what_carries_the_stamp() -> None:
    assert is_ours({STAMP: "s"}, None)
    assert is_ours({STAMP: "s"}, "s")
    assert not is_ours({STAMP: "s"}, "t")
    assert not is_ours({LEASE: "2026-11-28T12:00:00Z"}, None)
