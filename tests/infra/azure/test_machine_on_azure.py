"""The rented machine's program with Azure's orders, as a real process: notes and log in Azurite, its end noted."""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.azure.blob_store import BlobStore
from infra.azure.orders import host_orders
from infra.vm.cloud_init import PROGRAM
from infra.vm.notes import Notes
from tests.infra.azure.azurite import Azurite, Tokens
from tests.infra.azure.on_machine import NOTES, Bench, azure, bench
from tests.infra.azure.whom_it_asks import MACHINE, MACHINE_ID, PASSWORD, Azure

__all__ = ["azure", "bench"]
JOB_LOG = b"first words\n\xff no text\nlast words\n"


def run(bench: Bench, *, lease_s: float = 60.0, **told: str) -> Callable[[], int]:
    """Start it; its code, when it has one."""
    host = replace(bench.host, lease_until_s=time.time() + lease_s)
    orders = bench.orders(replace(host_orders(host), grace_s=5, hard_stop_s=1.0))
    bench.put(bench.folder / "machine.json", json.dumps(orders))
    process = bench.start(
        PROGRAM,
        SONARSTACK_ORDERS=str(bench.folder / "machine.json"),
        SONARSTACK_STOP_ASKED=str(bench.folder / "stop-asked"),
        **told,
    )

    def over() -> int:
        return process.wait(timeout=60)

    return over


@pytest.fixture
def notes(azurite_tls: Azurite, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """As whoever asks for the job reads them, from elsewhere."""
    monkeypatch.setattr("infra.azure.account.credential", Tokens)
    monkeypatch.setenv("SONARSTACK_BLOB_URL", azurite_tls.address)
    return Notes(BlobStore(azurite_tls.account, "runs"), NOTES)


def code(notes: Notes) -> int | None:
    outcome = notes.outcome()
    return outcome.exit_code if outcome is not None else None


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_job_that_ends_is_told_and_then_the_machine_is_no_more(
    bench: Bench, azure: Azure, notes: Notes
) -> None:
    assert run(bench, JOB_S="1")() == 0
    assert code(notes) == 0
    assert notes.started_by() == MACHINE
    assert notes.text("job.log") == JOB_LOG
    assert notes.text("job.log", 12) == JOB_LOG[12:]
    assert azure.deleted[0] == MACHINE_ID
    assert azure.agreed == ["E1"]
    docker = [call.split()[1] for call in bench.calls if call.startswith("docker")]
    assert docker.index("login") < docker.index("pull") < docker.index("run")
    assert (bench.folder / "password").read_text() == PASSWORD
    told = dict(line.split("=", 1) for line in (bench.folder / "variables").read_text().splitlines())
    assert told["AZURE_STORAGE_ACCOUNT_NAME"] == bench.azurite.account
    assert told["AZURE_CLIENT_ID"] == bench.host.client_id
    assert 0 < float(told["SONARSTACK_MAX_HOURS"]) < 60 / 3600
    assert not any("poweroff" in call for call in bench.calls), "an Azure machine that is off is billed on"
    left = b"".join(
        path.read_bytes() for path in bench.folder.rglob("*") if path.is_file() and path.name != "password"
    )
    for secret in (PASSWORD, *azure.bearers):
        assert secret.encode() not in left


def test_a_taken_machine_says_so_and_goes(bench: Bench, azure: Azure, notes: Notes) -> None:
    """Code 83: the program has heard the notice and saved; another machine goes on."""
    assert run(bench, JOB_CODE="83")() == 0
    assert notes.outcome() is None
    assert notes.interrupted() == (MACHINE,)
    assert azure.deleted == [MACHINE_ID]
    assert azure.agreed == ["E1"], "nobody waits for the end of the notice"


def test_a_machine_that_shuts_down_under_its_job_saves_and_says_so(
    bench: Bench, azure: Azure, notes: Notes
) -> None:
    over = run(bench, JOB_S="30")
    until(lambda: notes.started_by() == MACHINE)
    bench.processes[0].terminate()
    assert over() == 0
    assert notes.interrupted() == (MACHINE,)
    assert notes.outcome() is None
    assert len(azure.deleted) == 1
    until(lambda: notes.text("job.log").endswith(b"saves its checkpoint\n"))


def test_the_owner_s_stop_is_for_good(bench: Bench, azure: Azure, notes: Notes) -> None:
    over = run(bench, JOB_S="30")
    until(lambda: notes.started_by() == MACHINE and len(azure.rows) >= 4)
    (bench.folder / "stop-asked").touch()
    bench.processes[0].terminate()
    assert over() == 0
    assert code(notes) == 83
    assert notes.interrupted() == ()
    assert {row["Host"] for row in azure.rows} == {MACHINE}
    assert notes.text("job.log").endswith(b"saves its checkpoint\n")
    assert MACHINE_ID in azure.deleted


def test_the_lease_ends_it(bench: Bench, azure: Azure, notes: Notes) -> None:
    assert run(bench, JOB_S="30", lease_s=8)() == 0
    assert code(notes) == 83
    assert MACHINE_ID in azure.deleted


def test_a_machine_that_starts_after_its_lease_runs_nothing(bench: Bench, azure: Azure) -> None:
    assert run(bench, lease_s=-5)() == 0
    assert not any(call.startswith("docker run") for call in bench.calls)
    assert f"late/{MACHINE}.json" in bench.blobs
    assert MACHINE_ID in azure.deleted


def test_an_image_that_does_not_let_it_in_is_told(bench: Bench, azure: Azure, notes: Notes) -> None:
    azure.first["POST /oauth2/exchange"] = [(401, {})] * 5
    assert run(bench)() == 0
    outcome = notes.outcome()
    assert outcome is not None
    assert "registry does not let this machine in" in outcome.reason
    assert MACHINE_ID in azure.deleted


def test_an_end_that_is_refused_is_tried_until_it_is_taken(bench: Bench, azure: Azure, notes: Notes) -> None:
    azure.first["DELETE"] = [(403, {})] * 7
    assert run(bench)() == 0
    assert code(notes) == 0
    assert azure.deleted[0] == MACHINE_ID
    assert sum(method == "DELETE" for method, _ in azure.asked) >= 8


def test_the_guard_ends_a_machine_whose_program_was_killed(bench: Bench, azure: Azure, notes: Notes) -> None:
    over = run(bench, JOB_S="30", lease_s=8)
    until(lambda: notes.started_by() == MACHINE)
    bench.processes[0].kill()
    over()
    assert azure.deleted == []
    until(lambda: MACHINE_ID in azure.deleted)
