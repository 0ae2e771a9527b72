"""up, watch, ssh, logs, pull and reap for Azure: a stand-in for the engine and for ARM, and the real Azurite."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.azure import account
from infra.azure.blob_store import BlobStore
from infra.azure.names import account_name, group_name
from infra.azure.owned import LEASE, STAMP
from infra.buckets.store import ObjectStore
from infra.errors import SettingsError
from infra.journal import Journal, Lease
from infra.vm.session import session_words
from stacks.clouds import cloud_of, clouds_to_reap
from stacks.receipts import stamp_of
from stacks.verbs.watch_machine import MachineRows
from tests.infra.azure.azurite import ACCOUNT, Azurite, azurite_tls, azurite_tls_server
from tests.infra.azure.azurite import token as storage_token
from tests.infra.azure.desk import arm_server
from tests.infra.azure.fake_arm import LOCATION, SUBSCRIPTION, FakeArm
from tests.infra.provider.test_bucket import ended, write_run
from tests.stacks.command import stacks
from tests.stacks.machine_desk import RUNS, Clock, Desk

__all__ = ["arm_server", "azurite_tls", "azurite_tls_server"]
MARK = stamp_of("azure")
GROUP = group_name(MARK)
MACHINE = f"{MARK}-1234abcd-0"
PLACE = {"bucket": "az://runs", "account": ACCOUNT, "owner": MARK}
NOTES = "runs/night/host/group"
WHERE = {
    **PLACE, "kind": "vm", "subscription": SUBSCRIPTION, "group": GROUP, "location": LOCATION, "machine": MACHINE,
    "notes": NOTES, "login": "key",
}  # fmt: skip
HERE = account_name(SUBSCRIPTION, LOCATION)
HOUR = timedelta(hours=1)


class LogIn:
    """The user's own: ARM's stand-in and Azurite take tokens of different audiences."""

    def __init__(self, arm: FakeArm) -> None:
        self._arm = arm

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        text = storage_token() if "storage" in scopes[0] else self._arm.token
        return AccessToken(text, int(datetime.now(UTC).timestamp()) + 3600)


@pytest.fixture
def desk(arm_server: FakeArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(account, "credential", lambda: LogIn(arm_server))
    run = {"path": "runs/night/run", "host": PLACE}
    return Desk(tmp_path / "desk", monkeypatch, where=WHERE, run=run)


@pytest.fixture
def store(desk: Desk, azurite_tls: Azurite, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setenv("SONARSTACK_BLOB_URL", azurite_tls.address.replace(ACCOUNT, "{account}"))
    return BlobStore(ACCOUNT, "runs")


def rent(arm: FakeArm, until: datetime, *, name: str = MACHINE, **more: Any) -> None:
    tags = {STAMP: MARK, LEASE: until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    arm.groups[group.lower()] = {"id": group, "name": GROUP, "location": LOCATION, "tags": tags}
    arm.rent(GROUP, name, tags, **more)


def lease(**changed: Any) -> Lease:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "cloud": "azure", "account": HERE, "kind": "group", "name": MACHINE, "stamp": MARK, "run": "run",
        "rented_at": now - HOUR, "lease_until": now + HOUR, "price_usd_per_h": 0.6, "id": MACHINE,
    }  # fmt: skip
    return Journal().write(Lease(**{**values, **changed}))


def test_the_cloud_is_the_log_in_s_and_the_journal_says_where_to_look(desk: Desk) -> None:
    assert cloud_of("azure").address == HERE
    assert [one.address for one in clouds_to_reap("azure")] == [HERE]
    other = "azure:22222222-2222-2222-2222-222222222222:westeurope"
    lease(account=other)
    lease(account="aws:1:us-east-1", cloud="aws", name="group")
    assert [one.address for one in clouds_to_reap("azure")] == [other]
    assert {one.address for one in clouds_to_reap(None)} == {other, "aws:1:us-east-1"}


def test_reap_tells_then_ends_what_is_late_and_nothing_else(desk: Desk, arm_server: FakeArm) -> None:
    rent(arm_server, datetime.now(UTC) - HOUR)
    rent(arm_server, datetime.now(UTC) + HOUR, name="living")
    lease()
    told = stacks("reap", "azure", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert f"{HERE}: 2 of this project" in told.stdout
    assert f"machine {MACHINE}" in told.stdout
    assert "its lease was over at" in told.stdout
    assert "dry run: nothing was ended" in told.stdout
    assert not [path for verb, path in arm_server.asked if verb == "DELETE"]
    done = stacks("reap")  # the journal knows of the subscription
    assert done.returncode == 0, done.stderr
    assert f"ended: machine {MACHINE}" in done.stdout
    deleted = [path for verb, path in arm_server.asked if verb == "DELETE"]
    assert [path.rpartition("/")[2] for path in deleted] == [MACHINE]
    newest = Journal().newest(HERE, MACHINE)
    assert newest is not None
    assert newest.end_reason.startswith("reaped: its lease was over")


def test_reap_without_a_log_in_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody:
        def get_token(self, *_: str, **__: Any) -> Any:
            from azure.core.exceptions import ClientAuthenticationError

            raise ClientAuthenticationError("nobody")

    monkeypatch.setattr(account, "credential", Nobody)
    done = stacks("reap", "azure")
    assert done.returncode == 1
    assert "run `az login`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_command_goes_by_the_platform_and_a_shell_by_a_bastion(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.program("az", "#!/bin/sh\n")
    desk.outputs()

    def words(*more: str) -> list[str]:
        done = stacks("ssh", "azure", "--print", *more)
        assert done.returncode == 0, done.stderr
        return shlex.split(done.stdout)

    place = ["--subscription", SUBSCRIPTION, "--resource-group", GROUP]
    assert words("--", "nvidia-smi", "-L") == [
        "az", "vm", "run-command", "invoke", *place, "--name", MACHINE, "--command-id", "RunShellScript", "--scripts",
        "nvidia-smi -L", "--query", "value[0].message", "--output", "tsv",
    ]  # fmt: skip
    refused = stacks("ssh", "azure")
    assert refused.returncode != 0
    assert "sonarstack:bastion true" in refused.stderr
    assert refused.stderr.count("\n") == 1
    desk.outputs(where={**WHERE, "bastion": "gate"})
    shell = words()
    assert shell[:4] == ["az", "network", "bastion", "ssh"]
    assert shell[shell.index("--auth-type") :][:4] == ["--auth-type", "ssh-key", "--username", "sonarstack"]
    assert shell[shell.index("--target-resource-id") + 1].endswith(f"/virtualMachines/{MACHINE}")
    assert words("--forward")[-4:] == ["--", "-N", "-L", "127.0.0.1:6006:127.0.0.1:6006"]
    desk.outputs(where={**WHERE, "bastion": "gate", "login": "entra"})
    assert words()[-2:] == ["--auth-type", "AAD"]
    monkeypatch.setenv("PATH", str(desk.folder))
    with pytest.raises(SettingsError, match=r"^install Azure's command line"):
        session_words(WHERE, [], None)


def test_watch_tells_machine_price_and_deadline(desk: Desk, arm_server: FakeArm) -> None:
    clock = Clock()
    with MachineRows(WHERE, clock=clock) as machine:
        assert machine.rows(RUNS)["pod_status"] == "gone"
        rent(arm_server, datetime.now(UTC) + HOUR, priority="Regular")
        lease()
        clock.s += 60
        rows = machine.rows(RUNS)
        # On demand, so by the dated table: below the ceiling of 0.6 that the lease has.
        assert (rows["pod_status"], rows["gpu_name"]) == ("running", "Standard_NC4as_T4_v3")
        assert (rows["usd_per_h"], rows["pod_problem"]) == (0.526, None)
        assert rows["machines_usd"] == pytest.approx(0.526, abs=0.01)
        arm_server.fail("GET", "/virtualMachines/", 403, "AuthorizationFailed")
        clock.s += 60
        rows = machine.rows(RUNS)
        assert rows["pod_problem"]
        assert "\n" not in rows["pod_problem"]
        assert rows["pod_status"] == "running"  # as it was seen last
    rent(arm_server, datetime.now(UTC) + HOUR, priority="Spot")
    with MachineRows(WHERE, clock=clock) as machine:
        assert machine.rows(RUNS)["usd_per_h"] == 0.6


def test_logs_are_the_machine_s_own_from_the_container(
    desk: Desk, arm_server: FakeArm, store: ObjectStore
) -> None:
    desk.outputs()
    rent(arm_server, datetime.now(UTC) + HOUR)
    store.put(f"{NOTES}/started.json", json.dumps({"machine": MACHINE}).encode())
    store.put(f"{NOTES}/job.log", b"step 1: loss 3\nstep 2: loss 2\n")
    done = stacks("logs", "azure")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("step 1: loss 3\nstep 2: loss 2\n")


def test_pull_brings_a_run_from_the_container_whole(desk: Desk, store: ObjectStore, tmp_path: Path) -> None:
    desk.outputs()
    made = write_run(tmp_path, store)
    ended(store)
    done = stacks("pull", "azure")
    assert done.returncode == 0, done.stderr
    assert (desk.home / "model/best.pt").read_bytes() == (made / "model/best.pt").read_bytes()
    assert "still runs" not in done.stdout
    store.put("runs/night/run/model/best.pt", b"weightz" * 1000)
    damaged = stacks("pull", "azure", "--to", str(tmp_path / "elsewhere"))
    assert damaged.returncode == 1
    assert "model/best.pt first" in damaged.stderr
    assert damaged.stderr.count("\n") == 1
