"""`python -m stacks reap`, as a user and a timer have it: no engine, no stack, only journal and API."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from infra.errors import SettingsError
from infra.hosts.keys import key_path
from infra.journal import Journal
from infra.runpod.client import RunpodClient
from infra.runpod.simulator.run import Simulator, running
from infra.runpod.spec import LEASE_VARIABLE, SPEC_VARIABLE, PodSpec
from stacks.clouds import clouds_to_reap, needs_runpod
from stacks.receipts import stamp_of
from stacks.verbs.reap import borrow_credentials
from tests.infra.runpod.things import lease, volume_lease
from tests.infra.timers import Timers
from tests.stacks.command import Done, stacks

HOUR = timedelta(hours=1)
MARK = stamp_of("runpod")
SPEC = PodSpec(stamp=MARK, run="runpod", gpus=("RTX 4090",), max_usd_per_h=0.8, max_hours=6.0)


@pytest.fixture
def sim(tmp_path) -> Iterator[Simulator]:
    with running(tmp_path / "runpod", grace_s=0.5) as simulator:
        yield simulator


class Machine:
    """This user's, with a state folder of its own."""

    def __init__(self, sim: Simulator, folder: Path) -> None:
        self.sim, self.folder = sim, folder
        self.variables = {"XDG_STATE_HOME": str(folder), "PATH": "/nowhere", **sim.variables()}

    def __call__(self, *words: str, **variables: str | None) -> Done:
        return stacks("reap", *words, variables={**self.variables, **variables})

    def rent(self, until: datetime, spec: PodSpec = SPEC) -> str:
        env = {
            SPEC_VARIABLE: json.dumps(spec.as_dict()),
            LEASE_VARIABLE: f"{until.timestamp():.0f}",
            "PLANTED": "planted-secret",
        }
        body = {
            "name": spec.name,
            "image": "x/y:1",
            "gpu": {"id": "NVIDIA GeForce RTX 4090"},
            "args": "sleep 300",
        }
        with RunpodClient(self.sim.key, self.sim.address) as client:
            return client.create_pod({**body, "env": env}).id

    def pods(self) -> list[str]:
        with RunpodClient(self.sim.key, self.sim.address) as client:
            return [one.id for one in client.pods()]

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "sonarstack/leases")


@pytest.fixture
def machine(sim, tmp_path) -> Machine:
    return Machine(sim, tmp_path / "state")


def test_nothing_there_is_one_line(machine) -> None:
    done = machine()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"SIMULATED {machine.sim.address}: nothing of this project\n"
    assert machine("--scheduled").stdout == ""


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_a_machine_that_has_rented_nothing_needs_no_key(words, machine) -> None:
    done = machine(*words, RUNPOD_API_KEY=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing rented from here; ")
    assert machine("--json", RUNPOD_API_KEY=None).stdout == "[]\n"
    assert machine("--scheduled", RUNPOD_API_KEY=None).stdout == ""


def test_without_a_key_one_line_says_what_to_do(machine) -> None:
    done = machine("runpod", RUNPOD_API_KEY=None)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Runpod needs RUNPOD_API_KEY")
    assert done.stderr.count("\n") == 1


def test_a_dry_run_tells_and_the_real_one_ends_with_a_receipt(machine) -> None:
    now = datetime.now(UTC)
    # Half a minute more: leases are told to the pod in whole seconds.
    late, living = machine.rent(now - 2 * HOUR - HOUR / 120), machine.rent(now + 2 * HOUR)
    told = machine("--dry-run")
    assert told.returncode == 0, told.stderr
    assert (
        f"END           pod {SPEC.name} ({late}), RTX 4090, $0.44 an hour: its lease ran out 2 h 00"
        in told.stdout
    )
    assert f"living        pod {SPEC.name} ({living})" in told.stdout
    assert told.stdout.endswith("dry run: nothing was ended; without --dry-run it is\n")
    assert set(machine.pods()) == {late, living}
    assert machine.journal.leases() == []
    done = machine()
    assert done.returncode == 0, done.stderr
    assert f"SIMULATED ended: pod {SPEC.name} ({late})" in done.stdout
    assert machine.pods() == [living]
    assert f"SIMULATED receipt of stack {MARK}" in done.stdout
    assert f"STILL BILLS:\n  pod {SPEC.name} ({living})" in done.stdout
    assert "planted" not in done.stdout + told.stdout
    (kept,) = (machine.folder / "sonarstack/receipts").iterdir()
    assert not json.loads(kept.read_text())["clean"]


def test_json_for_programs(machine) -> None:
    late = machine.rent(datetime.now(UTC) - HOUR)
    told = json.loads(machine("--json", "--stack", "runpod").stdout)
    assert told["simulated"] is True
    assert [(one["action"], one["id"]) for one in told["findings"]] == [("end", late)]
    assert [(one["id"], one["error"]) for one in told["done"]] == [(late, "")]
    assert told["receipts"][0]["clean"] is True
    assert told["receipts"][0]["stack"] == "runpod"


def test_only_the_named_stack(machine) -> None:
    machine.rent(datetime.now(UTC) - HOUR)
    done = machine("--stack", "other")
    assert "nothing of this project" in done.stdout
    assert len(machine.pods()) == 1


def test_volumes_want_their_stack_and_go_only_so(machine) -> None:
    with RunpodClient(machine.sim.key, machine.sim.address) as client:
        volume = client.create_volume(name=f"{MARK}-volume", size_gb=20, data_center="EU-RO-1")
        machine.journal.write(volume_lease(account=machine.sim.address, id=volume.id, stamp=MARK))
        refused = machine("--volumes")
        assert refused.returncode == 2
        assert refused.stderr == "error: --volumes removes runs, so it must be said whose: add --stack NAME\n"
        assert "about $1.40 a month" in machine("--stack", "runpod").stdout
        assert client.volume(volume.id) is not None
        done = machine("--volumes", "--stack", "runpod")
        assert f"removed: volume {MARK}-volume ({volume.id})" in done.stdout
        assert "SIMULATED nothing of stack runpod is left that bills" in done.stdout
        assert client.volume(volume.id) is None


def test_the_key_of_a_stack_goes_when_nothing_is_left_that_it_opens(machine, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(machine.folder))
    key_path(MARK).parent.mkdir(parents=True)
    key_path(MARK).touch()
    machine.rent(datetime.now(UTC) - HOUR)
    living = machine.rent(datetime.now(UTC) + HOUR)
    machine()
    assert key_path(MARK).exists()
    machine.sim.kill_pod(living)
    machine.rent(datetime.now(UTC) - HOUR)
    machine()
    assert not key_path(MARK).exists()


def test_what_could_not_be_ended_is_told_and_is_no_success(machine) -> None:
    pod = machine.rent(datetime.now(UTC) - HOUR)
    machine.sim.faults.arm(kind="status", method="DELETE", status=403)
    done = machine("--scheduled")
    assert done.returncode == 1
    assert f"UTC  SIMULATED NOT ended: pod {SPEC.name} ({pod}): Runpod: end pod {pod}" in done.stdout


def test_installed_it_runs_with_what_was_kept_and_no_secret_stands_in_the_crontab(
    machine, tmp_path, monkeypatch
) -> None:
    timers = Timers(tmp_path / "cron", monkeypatch)
    theirs = {
        "PATH": str(timers.bin),
        "HOME": str(tmp_path / "cron"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    asked = machine("--install", **theirs)
    assert asked.returncode == 2
    assert "nobody can be asked here; add --yes" in asked.stderr
    assert timers.table == ""
    for _ in range(2):
        done = machine("--install", "--yes", "--every-minutes", "5", **theirs)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "tried once with a timer's environment: it works" in done.stdout
    assert timers.table.count("\n") == 1
    assert machine.sim.key not in timers.table + done.stdout
    kept = machine.folder / "sonarstack/credentials"
    assert kept.stat().st_mode & 0o777 == 0o600
    late = machine.rent(datetime.now(UTC) - HOUR)
    # Exactly what cron runs, with cron's environment.
    command = timers.table.split(" * * * * ")[1]
    subprocess.run(
        ["/bin/sh", "-c", command], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True
    )
    assert machine.pods() == []
    assert (
        f"SIMULATED ended: pod {SPEC.name} ({late})" in (machine.folder / "sonarstack/reap.log").read_text()
    )
    gone = machine("--uninstall", **theirs)
    assert gone.stdout == "removed: cron, the kept credentials\n"
    assert timers.table == ""
    assert not kept.exists()
    assert machine("--uninstall", **theirs).stdout == "nothing was installed\n"


def test_for_another_cloud_it_needs_no_runpod_key_and_keeps_no_secret(machine, tmp_path, monkeypatch) -> None:
    timers = Timers(tmp_path / "cron", monkeypatch)
    mine = {
        "PATH": str(timers.bin), "HOME": str(tmp_path / "cron"), "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "RUNPOD_API_KEY": None, "AWS_PROFILE": "survey", "AWS_SECRET_ACCESS_KEY": "planted-secret",
    }  # fmt: skip
    done = machine("aws", "--install", "--yes", **mine)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = machine.folder / "sonarstack/credentials"
    assert kept.read_text().startswith("AWS_PROFILE=survey\n")
    assert "RUNPOD" not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert f": kept in {kept} (0600)" in done.stdout
    assert "note: AWS_SECRET_ACCESS_KEY of this shell is not kept" in done.stdout
    assert "tried once with a timer's environment: it works" in done.stdout
    assert "planted" not in done.stdout + timers.table + kept.read_text()
    refused = machine("runpod", "--install", "--yes", **mine)
    assert refused.stderr == "error: RUNPOD_API_KEY is not set; export it, then `reap --install` again\n"


def test_a_runpod_key_is_asked_for_unless_all_that_is_rented_is_elsewhere(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    now = datetime.now(UTC)
    assert (needs_runpod(None), needs_runpod("runpod"), needs_runpod("azure")) == (True, True, False)
    assert clouds_to_reap(None) == []
    aws = Journal().write(
        lease(
            cloud="aws",
            account="aws:1:us-east-1",
            kind="group",
            name="g",
            rented_at=now,
            lease_until=now + HOUR,
        )
    )
    assert not needs_runpod(None)
    assert [one.address for one in clouds_to_reap(None)] == [aws.account]
    Journal().write(lease(account="https://runpod.test/v2", rented_at=now, lease_until=now + HOUR))
    assert needs_runpod(None)
    assert len(clouds_to_reap(None)) == 2
    with pytest.raises(SettingsError, match="local rents nothing"):
        needs_runpod("local")


def test_a_key_is_not_kept_where_no_timer_would_use_it(machine, tmp_path, monkeypatch) -> None:
    timers = Timers(tmp_path / "cron", monkeypatch, cron=False)
    done = machine("--install", "--yes", PATH=str(timers.bin), HOME=str(tmp_path / "cron"))
    assert done.returncode == 2
    assert "neither systemd for users nor cron" in done.stderr
    assert not (machine.folder / "sonarstack/credentials").exists()


def test_a_kept_key_never_goes_to_another_address(tmp_path) -> None:
    (tmp_path / "sonarstack").mkdir()
    kept = tmp_path / "sonarstack/credentials"
    kept.write_text("RUNPOD_API_KEY=rpa_real\n")
    kept.chmod(0o600)
    told = {"XDG_STATE_HOME": str(tmp_path), "RUNPOD_REST_V2_API_URL": "http://simulated.test/v2"}
    with mock.patch.dict(os.environ, told, clear=True):
        borrow_credentials()
        assert os.environ["RUNPOD_API_KEY"] == "rpa_real"
        assert "RUNPOD_REST_V2_API_URL" not in os.environ
    with mock.patch.dict(os.environ, {**told, "RUNPOD_API_KEY": "mine"}, clear=True):
        borrow_credentials()
        assert os.environ["RUNPOD_API_KEY"] == "mine"
        assert os.environ["RUNPOD_REST_V2_API_URL"] == told["RUNPOD_REST_V2_API_URL"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--install", "--yes", "--dry-run"), "--dry-run can do nothing with --install"),
        (("--install", "--yes", "--stack", "x", "--json"), "--stack, --json can do nothing with --install"),
        (("--uninstall", "--volumes"), "--volumes can do nothing with --uninstall"),
        (("--install", "--uninstall"), "--install and --uninstall undo each other; give one"),
        (("aws", "--stack", "x", "--volumes"), "--volumes can do nothing for aws"),
    ],
)
def test_what_would_be_passed_over_is_refused(words, says, tmp_path) -> None:
    refused = stacks("reap", *words, variables={"XDG_STATE_HOME": str(tmp_path), "PATH": "/nowhere"})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"error: {says}")
    assert not list(tmp_path.iterdir())
