"""What must end on AWS: judged by tags alone, done through moto, told to the journal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.aws.account import client
from infra.aws.names import account_name
from infra.aws.owned import LEASE, STAMP, OwnedGroup, OwnedMachine, owned_groups, owned_machines
from infra.aws.reaper import look, plan_reaping, reap
from infra.aws.receipt import receipt_of
from infra.journal import Journal, Lease
from tests.infra.aws_server import REGION

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATE, EARLY = NOW - timedelta(minutes=1), NOW + timedelta(hours=1)
ACCOUNT = account_name("123456789012", REGION)
AMI = "ami-12c6146b"  # one of moto's own


def group(name: str = "g", **changed: Any) -> OwnedGroup:
    values: dict[str, Any] = {
        "name": name, "stamp": "s", "lease_until": EARLY, "desired": 1, "machines": ("i-1",), "types": ("g5.xlarge",),
    }  # fmt: skip
    return OwnedGroup(**{**values, **changed})


def machine(**changed: Any) -> OwnedMachine:
    values: dict[str, Any] = {
        "id": "i-9", "stamp": "s", "lease_until": LATE, "group": "", "type_name": "g5.xlarge",
    }  # fmt: skip
    return OwnedMachine(**{**values, **changed})


def lease(name: str = "g", **changed: Any) -> Lease:
    values: dict[str, Any] = {
        "cloud": "aws", "account": ACCOUNT, "kind": "group", "name": name, "stamp": "s", "run": "run",
        "rented_at": NOW - timedelta(hours=2), "lease_until": EARLY, "price_usd_per_h": 0.6, "id": name,
    }  # fmt: skip
    return Lease(**{**values, **changed})


def judged(*things: OwnedGroup | OwnedMachine, leases: tuple[Lease, ...] = ()) -> list[tuple[str, str]]:
    groups = [one for one in things if isinstance(one, OwnedGroup)]
    machines = [one for one in things if isinstance(one, OwnedMachine)]
    return [(one.action, one.name) for one in plan_reaping(groups, machines, leases, region=REGION, now=NOW)]


def test_only_what_is_past_its_lease_ends() -> None:
    assert judged(group("a"), group("b", lease_until=LATE), group("c", lease_until=None)) == [
        ("keep", "a"),
        ("end", "b"),
        ("warn", "c"),
    ]


def test_a_group_without_a_machine_that_would_rent_one_still_ends() -> None:
    """No capacity at the moment: it asks on and on."""
    assert judged(group(machines=(), lease_until=LATE)) == [("end", "g")]


def test_a_group_that_rents_no_more_is_the_stack_s_to_remove() -> None:
    assert judged(group(machines=(), desired=0, lease_until=LATE)) == []


def test_a_machine_that_no_group_of_ours_holds_is_judged_by_its_own_tags() -> None:
    assert judged(machine()) == [("end", "i-9")]
    assert judged(machine(lease_until=EARLY)) == [("keep", "i-9")]
    assert judged(group("g", machines=("i-9",)), machine(group="g")) == [("keep", "g")]
    assert judged(group("g", machines=(), desired=0), machine(group="g")) == [("end", "g")]


def test_the_journal_learns_that_a_group_is_over() -> None:
    assert judged(leases=(lease(lease_until=LATE),)) == [("settle", "g")]
    assert judged(group(machines=(), desired=0), leases=(lease(),)) == [("settle", "g")]
    assert judged(leases=(lease(),)) == []  # perhaps it is being made
    assert judged(leases=(lease(lease_until=LATE, ended_at=LATE),)) == []


def test_the_price_is_the_journal_s() -> None:
    found = plan_reaping([group()], [], [lease()], region=REGION, now=NOW)
    assert found[0].usd_per_h == 0.6


def rent(name: str, until: datetime | None, *, stamp: str = "s", marked: bool = True) -> None:
    scaling, ec2 = client("autoscaling", REGION), client("ec2", REGION)
    tags = (
        {STAMP: stamp, **({LEASE: until.strftime("%Y-%m-%dT%H:%M:%SZ")} if until else {})} if marked else {}
    )
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": AMI,
            "InstanceType": "g4dn.xlarge",
            **({"TagSpecifications": [{"ResourceType": "instance", "Tags": pairs}]} if pairs else {}),
        },
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=0, MaxSize=1, DesiredCapacity=1, AvailabilityZones=[f"{REGION}a"],
        Tags=[{**pair, "PropagateAtLaunch": False, "ResourceId": name, "ResourceType": "auto-scaling-group"}
              for pair in pairs],
    )  # fmt: skip


@pytest.fixture
def journal(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Journal()


def test_what_is_late_is_ended_and_nothing_else(journal: Journal) -> None:
    now = datetime.now(UTC)
    rent("late", now - timedelta(minutes=5))
    rent("early", now + timedelta(hours=1))
    rent("of-somebody-else", None, marked=False)
    journal.write(lease("late", lease_until=now - timedelta(minutes=5)))
    found = look(REGION, ACCOUNT, journal=journal)
    assert sorted((one.action, one.name) for one in found) == [("end", "late"), ("keep", "early")]
    done = list(reap(found, ACCOUNT, journal=journal))
    assert [(one.finding.name, one.error) for one in done] == [("late", "")]
    sizes = {
        one["AutoScalingGroupName"]: (one["DesiredCapacity"], len(one["Instances"]))
        for one in client("autoscaling", REGION).describe_auto_scaling_groups()["AutoScalingGroups"]
    }
    assert sizes == {"late": (0, 0), "early": (1, 1), "of-somebody-else": (1, 1)}
    ended = journal.newest(ACCOUNT, "late")
    assert ended is not None
    assert ended.end_reason.startswith("reaped: its lease was over")
    assert ended.ended_at is not None
    assert ended.ended_at >= now, "it billed until it was ended"


def test_one_stack_s_are_told_apart(journal: Journal) -> None:
    rent("mine", datetime.now(UTC), stamp="s")
    rent("yours", datetime.now(UTC), stamp="t")
    assert [one.name for one in owned_groups(REGION, "t")] == ["yours"]
    assert {one.stamp for one in owned_machines(REGION)} == {"s", "t"}
    assert [one.name for one in look(REGION, ACCOUNT, stamp="s", journal=journal)] == ["mine"]


def test_a_machine_alone_is_ended_by_its_id(journal: Journal) -> None:
    late = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    tags = [{"Key": STAMP, "Value": "s"}, {"Key": LEASE, "Value": late}]
    ec2 = client("ec2", REGION)
    ec2.run_instances(
        ImageId=AMI, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
    )
    found = look(REGION, ACCOUNT, journal=journal)
    assert [(one.action, one.kind) for one in found] == [("end", "machine")]
    list(reap(found, ACCOUNT, journal=journal))
    assert owned_machines(REGION) == []


def test_a_receipt_tells_what_ended_and_what_carries_our_tags_still(journal: Journal) -> None:
    journal.write(lease("g", lease_until=NOW - timedelta(hours=1)))
    s3, kms, logs = client("s3", REGION), client("kms", REGION), client("logs", REGION)
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": STAMP, "Value": "s"}]})
    kms.create_key(Tags=[{"TagKey": STAMP, "TagValue": "s"}])
    logs.create_log_group(logGroupName="/sonarstack/forgotten", tags={STAMP: "s"})
    receipt = receipt_of(
        REGION,
        "123456789012",
        stack="night",
        stamp="s",
        keep_bucket=True,
        worst_case_usd=3.6,
        journal=journal,
    )
    assert [(one.kind, one.name, one.reason) for one in receipt.ended] == [
        ("group", "g", "reaped: it has no machine any more")
    ]
    assert receipt.ended[0].hours == 1.0, "to its lease's end, whenever somebody looks"
    assert [one.kind for one in receipt.left] == ["logs"]
    assert "/sonarstack/forgotten" in receipt.left[0].id
    assert any("stays on purpose" in note and "kept" in note for note in receipt.notes)
    assert not receipt.clean
    logs.delete_log_group(logGroupName="/sonarstack/forgotten")
    again = receipt_of(
        REGION,
        "123456789012",
        stack="night",
        stamp="s",
        keep_bucket=True,
        worst_case_usd=3.6,
        journal=journal,
    )
    assert again.clean
    assert "nothing of stack night is left that bills" in "\n".join(again.lines())
    gone = receipt_of(REGION, "123456789012", stack="night", stamp="s", keep_bucket=False, journal=journal)
    assert {one.kind for one in gone.left} == {"s3", "kms"}


def test_a_disk_that_is_left_is_told_as_billing(journal: Journal) -> None:
    client("ec2", REGION).create_volume(
        AvailabilityZone=f"{REGION}a",
        Size=50,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": STAMP, "Value": "s"}]}],
    )
    receipt = receipt_of(REGION, "123456789012", stack="night", stamp="s", keep_bucket=True, journal=journal)
    assert [one.name.startswith("vol-") for one in receipt.left] == [True]
