"""A group's job against moto's server: its notes in the bucket, its group, its log, its end."""

import json
import time
from typing import Any

import pytest

from infra.aws.account import client
from infra.aws.job import GroupJob
from infra.aws.s3_store import S3Store
from infra.errors import JobError
from infra.jobs.job import log_tail
from infra.machines import open_work
from tests.infra.aws_server import BUCKET, REGION

NOTES = "runs/dev/host/abc"
WHERE = {
    "kind": "group",
    "group": "the-group",
    "region": REGION,
    "bucket": f"s3://{BUCKET}",
    "notes": NOTES,
    "logGroup": "/sonarstack/dev",
    "logStream": "abc",
}


@pytest.fixture
def store(aws: str) -> S3Store:
    client("s3", REGION).create_bucket(Bucket=BUCKET)
    return S3Store(BUCKET, region=REGION)


@pytest.fixture
def job(store: S3Store) -> GroupJob:
    return GroupJob(WHERE, store=store, poll_s=0.01)


def rent(desired: int = 1) -> list[str]:
    """The group, as Pulumi's provider would make it; the ids of its machines."""
    ec2, scaling = client("ec2", REGION), client("autoscaling", REGION)
    image = "ami-12c6146b"  # one of moto's own
    ec2.create_launch_template(
        LaunchTemplateName="template", LaunchTemplateData={"ImageId": image, "InstanceType": "g4dn.xlarge"}
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=WHERE["group"],
        LaunchTemplate={"LaunchTemplateName": "template", "Version": "$Latest"},
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=desired,
        AvailabilityZones=[f"{REGION}a"],
    )
    return machines()


def machines() -> list[str]:
    groups = client("autoscaling", REGION).describe_auto_scaling_groups()["AutoScalingGroups"]
    return [str(one["InstanceId"]) for group in groups for one in group["Instances"]]


def note(store: S3Store, name: str, **values: Any) -> None:
    store.put(f"{NOTES}/{name}", json.dumps({"time": time.time(), **values}).encode())


def test_it_waits_runs_and_ends_by_the_machine_s_word(store: S3Store, job: GroupJob) -> None:
    machine = rent()[0]
    assert job.status().state == "waiting"
    assert machine in job.status().reason
    note(store, "started.json", machine=machine)
    assert job.status().state == "running"
    note(store, "outcome.json", machine=machine, code=0, reason="")
    assert (job.status().state, job.status().outcome) == ("ended", "done")


def test_a_replacement_is_waited_for_until_it_says_that_it_runs(store: S3Store, job: GroupJob) -> None:
    rent()
    note(store, "started.json", machine="i-that-was-taken")
    assert job.status().state == "waiting"


@pytest.mark.parametrize(("code", "state", "outcome"), [(80, "ended", "deadline"), (1, "failed", "failed")])
def test_codes_are_told_as_everywhere(
    store: S3Store, job: GroupJob, code: int, state: str, outcome: str
) -> None:
    note(store, "outcome.json", machine="i", code=code)
    assert (job.status().state, job.status().outcome) == (state, outcome)


@pytest.mark.parametrize("group", [None, {"DesiredCapacity": 0, "Instances": []}])
def test_an_end_that_was_told_between_the_two_looks_is_no_loss(
    store: S3Store, job: GroupJob, monkeypatch: pytest.MonkeyPatch, group: dict[str, Any] | None
) -> None:
    def described(_: GroupJob) -> dict[str, Any] | None:
        note(store, "outcome.json", machine="i", code=0, reason="")
        return group

    monkeypatch.setattr(GroupJob, "_describe", described)
    status = job.status()
    assert (status.state, status.outcome) == ("ended", "done")


def test_a_group_ended_from_outside_is_lost_work_that_can_be_taken_up(job: GroupJob) -> None:
    assert (job.status().state, "group is gone" in job.status().reason) == ("lost", True)
    rent(desired=0)
    assert job.status().state == "lost"
    assert "can be taken up" in job.status().reason


def test_stop_asks_the_machine_ends_the_group_and_waits_until_it_is_gone(
    store: S3Store, job: GroupJob
) -> None:
    machine = rent()[0]
    note(store, "started.json", machine=machine)
    status = job.stop(grace_s=0.05)
    asked = client("ssm", REGION).list_commands()["Commands"]
    assert [(one["DocumentName"], one["InstanceIds"]) for one in asked] == [("AWS-RunShellScript", [machine])]
    assert "touch /run/sonarstack/stop-asked" in asked[0]["Parameters"]["commands"][0]
    assert machines() == []
    group = client("autoscaling", REGION).describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 0, 0)
    assert status.state == "lost"  # this machine had no program to say how it went


def test_stop_of_a_job_that_is_over_only_makes_sure_of_the_group(store: S3Store, job: GroupJob) -> None:
    rent()
    note(store, "outcome.json", machine="i", code=0)
    assert job.stop().outcome == "done"
    assert machines() == []
    assert client("ssm", REGION).list_commands()["Commands"] == []


def test_its_log_is_read_to_the_end_and_from_a_byte_on(job: GroupJob) -> None:
    assert job.read_log() == b""
    logs = client("logs", REGION)
    logs.create_log_group(logGroupName=WHERE["logGroup"])
    logs.create_log_stream(logGroupName=WHERE["logGroup"], logStreamName=WHERE["logStream"])
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=WHERE["logGroup"],
        logStreamName=WHERE["logStream"],
        logEvents=[{"timestamp": now + n, "message": f"line {n}"} for n in range(30)],
    )
    assert log_tail(job, 2) == "line 28\nline 29"
    assert job.read_log(len(b"line 0\n")).startswith(b"line 1\n")


def test_remove_leaves_nothing_of_the_notes(store: S3Store, job: GroupJob) -> None:
    note(store, "outcome.json", code=0)
    note(store, "interruptions/i.json", code=83)
    store.put("runs/dev/run/run.json", b"{}")
    job.remove()
    assert list(store.keys("")) == ["runs/dev/run/run.json"]


def test_a_damaged_note_is_told_by_its_name(store: S3Store, job: GroupJob) -> None:
    store.put(f"{NOTES}/outcome.json", b"{")
    with pytest.raises(JobError, match=r"outcome\.json is damaged"):
        job.status()


def test_an_output_leads_to_it(store: S3Store) -> None:
    assert isinstance(open_work(WHERE), GroupJob)
