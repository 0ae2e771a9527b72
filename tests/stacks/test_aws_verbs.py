"""up, watch, ssh, pull and reap for AWS: a stand-in for the engine, moto's account, and an empty state of one's own."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.aws.account import client
from infra.aws.names import account_name
from infra.aws.owned import LEASE, STAMP
from infra.aws.s3_store import S3Store
from infra.errors import SettingsError
from infra.journal import Journal, Lease
from infra.vm.session import session_words
from stacks import policy_pack
from stacks.clouds import cloud_of, clouds_to_reap
from stacks.clouds.aws import AwsCloud
from stacks.clouds.runpod import RunpodCloud
from stacks.receipts import stamp_of
from stacks.verbs.up import rented_lines
from stacks.verbs.watch_machine import MachineRows
from tests.infra.aws_server import BUCKET, REGION, aws, moto_address
from tests.infra.provider.test_bucket import NOTES, PLACE, ended, write_run
from tests.stacks.command import stacks
from tests.stacks.machine_desk import RUNS, Clock, Desk
from tests.stacks.test_rented_verbs import PROJECT

__all__ = ["aws", "moto_address"]
MARK = stamp_of("aws")
GROUP = f"{MARK}-host-1234abcd"
ACCOUNT = account_name("123456789012", REGION)
WHERE = {
    **PLACE, "kind": "group", "group": GROUP, "owner": MARK, "notes": NOTES, "logGroup": "/l", "logStream": "s",
}  # fmt: skip
UNTIL = "2026-11-28T18:00:00+00:00"
HOUR = timedelta(hours=1)


def session_programs(desk: Desk) -> None:
    desk.program("aws", '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    desk.program("session-manager-plugin", "#!/bin/sh\n")


@pytest.fixture
def desk(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    run = {"path": "runs/night/run", "host": PLACE}
    return Desk(tmp_path / "desk", monkeypatch, where=WHERE, run=run)


def rent(until: datetime, *, name: str = GROUP, stamp: str = MARK) -> str:
    """A group with its machine, whose id this is."""
    tags = {STAMP: stamp, LEASE: until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    client("ec2", REGION).create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": "ami-12c6146b",  # one of moto's own
            "InstanceType": "g4dn.xlarge",
            "TagSpecifications": [{"ResourceType": "instance", "Tags": pairs}],
        },
    )
    scaling = client("autoscaling", REGION)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=0, MaxSize=1, DesiredCapacity=1, AvailabilityZones=[f"{REGION}a"],
        Tags=[{**pair, "PropagateAtLaunch": False, "ResourceId": name, "ResourceType": "auto-scaling-group"}
              for pair in pairs],
    )  # fmt: skip
    (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return str(group["Instances"][0]["InstanceId"])


def lease(account: str = ACCOUNT, **changed: Any) -> Lease:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "cloud": "aws", "account": account, "kind": "group", "name": GROUP, "stamp": MARK, "run": "run",
        "rented_at": now - HOUR, "lease_until": now + HOUR, "price_usd_per_h": 0.6, "id": GROUP,
    }  # fmt: skip
    return Journal().write(Lease(**{**values, **changed}))


# which clouds are asked


def test_what_a_target_rents_from(desk: Desk) -> None:
    assert cloud_of("aws").address == ACCOUNT  # region by the stack's settings, account by the credentials
    assert isinstance(cloud_of("runpod"), RunpodCloud)
    with pytest.raises(SettingsError, match="target local rents nothing; runpod, aws, azure do"):
        cloud_of("local")


def addresses(target: str | None) -> list[str]:
    return [one.address if isinstance(one, AwsCloud) else "runpod" for one in clouds_to_reap(target)]


def test_the_journal_says_where_to_look(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert addresses(None) == []
    assert addresses("aws") == [ACCOUNT]
    lease()
    lease("aws:210987654321:eu-west-1", name="other")
    lease("aws:999999999999:eu-west-1", name="over", ended_at=datetime.now(UTC))
    both = [ACCOUNT, "aws:210987654321:eu-west-1"]
    assert sorted(addresses(None)) == sorted(both)  # and Runpod is not, which nobody could
    assert sorted(addresses("aws")) == sorted(both)
    assert addresses("runpod") == ["runpod"]
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    assert addresses(None)[0] == "runpod"
    assert sorted(addresses(None)[1:]) == sorted(both)
    with pytest.raises(SettingsError, match="gcp rents nothing"):
        clouds_to_reap("gcp")


# reap


def test_reap_tells_then_ends_what_is_late_and_nothing_else(desk: Desk) -> None:
    machine = rent(datetime.now(UTC) - HOUR)
    rent(datetime.now(UTC) + HOUR, name="living")
    lease()
    told = stacks("reap", "aws", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert f"{ACCOUNT}: 2 of this project" in told.stdout
    assert f"END           group {GROUP} ({machine}), " in told.stdout
    assert "$0.60 an hour: its lease was over at" in told.stdout
    assert "dry run: nothing was ended" in told.stdout
    done = stacks("reap")  # the journal knows of the account
    assert done.returncode == 0, done.stderr
    assert f"ended: group {GROUP}" in done.stdout
    assert f"receipt of stack {MARK}" in done.stdout
    sizes = {
        one["AutoScalingGroupName"]: one["DesiredCapacity"]
        for one in client("autoscaling", REGION).describe_auto_scaling_groups()["AutoScalingGroups"]
    }
    assert sizes == {GROUP: 0, "living": 1}
    newest = Journal().newest(ACCOUNT, GROUP)
    assert newest is not None
    assert newest.end_reason.startswith("reaped: its lease was over")


def test_an_account_that_cannot_be_asked_keeps_no_other_one_alive(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent(datetime.now(UTC) - HOUR)
    lease()
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    monkeypatch.setenv("RUNPOD_REST_V2_API_URL", "http://127.0.0.1:9/v2")
    done = stacks("reap")
    assert done.returncode == 1
    assert "error: http://127.0.0.1:9/v2" in done.stdout
    assert f"ended: group {GROUP}" in done.stdout


def test_reap_without_credentials_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    done = stacks("reap", "aws")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there are no AWS credentials")
    assert done.stderr.count("\n") == 1


# up


def with_rules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if their environment were made, without making it."""
    pack = folder / policy_pack.PACK
    pack.mkdir(parents=True)
    (pack / "requirements.txt").write_text("")
    real = policy_pack.pack_words
    monkeypatch.setattr(
        policy_pack,
        "pack_words",
        lambda _, target: real(folder, target, lambda made, wanted: made.mkdir(exist_ok=True)),
    )


UP = (
    "up",
    "aws",
    "--yes",
    "--set",
    "dataUrl=app/config/environments",
    "--set",
    "image=docker.io/me/x@sha256:0",
)


def test_up_runs_with_the_rules_and_tells_price_deadline_and_ways_in(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_rules(tmp_path / "project", monkeypatch)
    rent(datetime.now(UTC) - HOUR, name="forgotten")
    desk.outputs(
        group={"name": GROUP, "region": REGION}, priceUsdPerH=0.8, leaseUntil=UNTIL, runUrl="s3://b/runs/r"
    )
    done = stacks(*UP)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(
        line.startswith("WARNING: 1 of this project bill beyond their lease (forgotten") for line in lines
    )
    assert f"group {GROUP}: one machine at a time, $0.80 an hour at most" in lines
    assert "deadline: 2026-11-28 18:00 UTC; then AWS's own timer ends it, whatever it does" in lines
    assert "the run: s3://b/runs/r" in lines
    assert "from outside" not in done.stdout
    up = next(call for call in desk.calls if call.startswith("up "))
    assert "--policy-pack stacks/policy" in up


def test_up_whose_rules_cannot_be_had_starts_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(made: Path, wanted: Path) -> None:
        raise OSError("no way to the registry")

    monkeypatch.setattr(policy_pack, "_venv", fails)
    monkeypatch.setattr(policy_pack, "DONE", ".never-made")
    done = stacks(*UP)
    assert done.returncode == 1
    assert "the rules that stop a wrong `up` need" in done.stderr
    assert "no way to the registry" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (desk.folder / "calls").exists()


def test_what_an_up_tells_of_a_group() -> None:
    told = {"group": {"name": GROUP}, "priceUsdPerH": 0.8, "leaseUntil": UNTIL, "runUrl": "s3://b/r"}
    assert rented_lines("night", told)[-1] == (
        "a shell there: python -m stacks ssh night (AWS Systems Manager; no port is open)"
    )
    of_azure = {**told, "group": None, "machine": {"name": "m-0", "size": "Standard_NC4as_T4_v3"}}
    first, deadline, *_, last = rented_lines("night", of_azure)
    assert first == "machine m-0: Standard_NC4as_T4_v3, $0.80 an hour at most"
    assert "Azure's own timer ends it" in deadline
    assert last.startswith("a command there: python -m stacks ssh night -- ")


# ssh


def test_a_shell_is_a_session_of_the_group_s_machine(desk: Desk) -> None:
    session_programs(desk)
    desk.outputs()
    machine = rent(datetime.now(UTC) + HOUR)
    start = ["aws", "ssm", "start-session", "--region", REGION, "--target", machine]

    def words(*more: str) -> list[str]:
        done = stacks("ssh", "aws", "--print", *more)
        assert done.returncode == 0, done.stderr
        return shlex.split(done.stdout)

    assert words() == start
    assert words("--", "nvidia-smi", "-L") == [
        *start, "--document-name", "AWS-StartInteractiveCommand", "--parameters", '{"command": ["nvidia-smi -L"]}',
    ]  # fmt: skip
    *forwarded, ports = words("--forward")
    assert forwarded == [*start, "--document-name", "AWS-StartPortForwardingSession", "--parameters"]
    assert json.loads(ports) == {"portNumber": ["6006"], "localPortNumber": ["6006"]}


def test_the_session_takes_the_place_of_the_verb(desk: Desk) -> None:
    session_programs(desk)
    desk.outputs()
    machine = rent(datetime.now(UTC) + HOUR)
    done = subprocess.run(
        [sys.executable, "-m", "stacks", "ssh", "aws"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[-1] == machine


def test_what_a_session_lacks_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.outputs()
    session_programs(desk)
    no_machine = stacks("ssh", "aws")
    assert no_machine.stderr == f"error: {GROUP} has no machine now; python -m stacks watch tells why\n"
    monkeypatch.setenv("PATH", str(desk.bin))
    (desk.bin / "session-manager-plugin").unlink()
    with pytest.raises(SettingsError, match=r"^install the Session Manager plugin of AWS's command line$"):
        session_words(WHERE, [], None)
    (desk.bin / "aws").unlink()
    with pytest.raises(SettingsError, match=r"^install AWS's command line .*; install the Session Manager"):
        session_words(WHERE, [], None)


# watch


def rows_of(clock: Clock) -> MachineRows:
    return MachineRows(WHERE, clock=clock)


def test_watch_tells_machine_price_and_deadline(desk: Desk) -> None:
    clock = Clock()
    with rows_of(clock) as group:
        assert group.rows(RUNS)["pod_status"] == "gone"
        assert group.rows(RUNS)["usd_per_h"] is None  # no lease is known here
        machine = rent(datetime.now(UTC) + HOUR)
        lease()
        assert group.rows(RUNS)["pod_status"] == "gone"  # AWS is asked now and then
        clock.s += 60
        rows: Mapping[str, Any] = group.rows(RUNS)
    assert (rows["pod"], rows["pod_status"], rows["gpu_name"]) == (GROUP, machine, "g4dn.xlarge")
    # On demand, so by the dated table: below the ceiling of 0.6 that the lease has.
    assert (rows["usd_per_h"], rows["simulated"], rows["pod_problem"]) == (0.526, False, None)
    assert rows["machines_usd"] == pytest.approx(0.526, abs=0.01)
    assert rows["lease_seconds_left"] == pytest.approx(3600, abs=60)


def test_watch_tells_of_a_group_that_has_ended_and_of_an_account_that_does_not_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    rent(datetime.now(UTC) + HOUR)
    client("autoscaling", REGION).update_auto_scaling_group(
        AutoScalingGroupName=GROUP, MinSize=0, MaxSize=0, DesiredCapacity=0
    )
    lease(ended_at=datetime.now(UTC), end_reason="its job is over")
    with rows_of(clock) as group:
        rows = group.rows(RUNS)
        assert (rows["pod_status"], rows["pod_ended"], rows["lease_seconds_left"]) == (
            "ended",
            "its job is over",
            None,
        )
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        clock.s += 60
        rows = group.rows(RUNS)
        assert "there are no AWS credentials" in rows["pod_problem"]
        assert rows["pod_status"] == "ended"  # as it was seen last


# pull


@pytest.fixture
def store(desk: Desk) -> S3Store:
    client("s3", REGION).create_bucket(Bucket=BUCKET)
    return S3Store(BUCKET, region=REGION)


def test_pull_brings_a_run_from_the_bucket_whole(desk: Desk, store: S3Store, tmp_path: Path) -> None:
    desk.outputs()
    made = write_run(tmp_path, store)
    ended(store)
    done = stacks("pull", "aws")
    assert done.returncode == 0, done.stderr
    assert (desk.home / "model/best.pt").read_bytes() == (made / "model/best.pt").read_bytes()
    assert not desk.home.with_name("home.fetched").exists()
    assert "still runs" not in done.stdout
    other = stacks("pull", "aws", "--to", str(tmp_path / "elsewhere"), "--json")
    assert json.loads(other.stdout)["complete"] is True
    assert (tmp_path / "elsewhere/run.json").is_file()


def test_pull_of_a_run_that_is_damaged_there_says_which_file(
    desk: Desk, store: S3Store, tmp_path: Path
) -> None:
    desk.outputs()
    write_run(tmp_path, store)
    ended(store)
    store.put("runs/night/run/model/best.pt", b"weightz" * 1000)
    done = stacks("pull", "aws")
    assert done.returncode == 1
    assert "model/best.pt first" in done.stderr
    assert done.stderr.count("\n") == 1
