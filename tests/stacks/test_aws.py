"""The AWS stack whole, under mocks: every resource by name and type, and what holds for all of them together."""

import base64
import gzip
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.aws.errors import AwsError
from infra.aws.owned import LEASE, STAMP
from infra.aws.preflight import Account
from infra.errors import SettingsError
from stacks import aws as target
from stacks.aws import deploy
from stacks.mock_run import Declared, declare
from stacks.money import money_of
from tests.infra.aws.things import documents
from tests.stacks.aws_stack import declared, declared_anew, settings

GOLDEN = Path(__file__).with_name("aws_resources.txt")
UNTAGGED = {
    "Alias", "KeyPolicy", "BucketOwnershipControls", "BucketPublicAccessBlock", "BucketVersioning",
    "BucketServerSideEncryptionConfiguration", "BucketLifecycleConfiguration", "BucketPolicy", "Route",
    "RouteTableAssociation", "RolePolicy", "LogMetricFilter", "Dashboard", "LifecyclePolicy", "SecretPolicy",
    "SecretVersion", "Schedule", "Policy", "aws",
}  # fmt: skip
"""Types without tags; scaling's Policy and the provider among them."""


def job(found: Mapping[str, Declared]) -> str:
    """The digest that is in the names of what each job has of its own."""
    return str(found["training-host-group"].inputs["name"].rpartition("-")[2])


def timer(found: Mapping[str, Declared], part: str = "") -> str:
    """Name of the timer, or of a part of it."""
    return f"training-deadline-{job(found)}{part}"


def kinds(found: Mapping[str, Declared], suffix: str) -> list[Declared]:
    return [one for one in found.values() if one.token.endswith(f":{suffix}")]


def orders_of(found: Mapping[str, Declared]) -> dict[str, Any]:
    text = base64.b64decode(found["training-host-template"].inputs["userData"]).decode()
    files = {one["path"]: one["content"] for one in yaml.safe_load(text)["write_files"]}
    packed = base64.b64decode(files["/etc/sonarstack/machine.json"])
    return dict(json.loads(gzip.decompress(packed)))


def test_the_list_of_resources_is_the_golden_one() -> None:
    found = declared(notifyUrl="json://host/PLANTED-WORD", budgetEmail="me@example.org", budgetUsd="50")
    lines = []
    for one in found.values():
        tags = one.inputs.get("tags") or {}
        marks = ",".join(sorted(tags)) if isinstance(tags, Mapping) else "stamp,lease"
        name = one.name.replace(job(found), "JOB")
        lines.append(f"{one.token}  {name}" + (f"  [{marks}]" if marks else ""))
    assert sorted(lines) == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("network", ["cheap", "private"])
def test_whatever_can_carry_the_stamp_does(network: str) -> None:
    found = declared(network=network)
    marked_by_provider = {timer(found, "-role"), "training-idle-alarm", "training-budget-budget"}
    for one in found.values():
        short = one.token.rsplit(":", 1)[-1]
        if not one.token.startswith("aws:") or short in UNTAGGED or one.name in marked_by_provider:
            continue
        tags = one.inputs.get("tags")
        marks = tags if short != "Group" else {tag["key"] for tag in tags}
        assert STAMP in (marks or {}) or short == "LaunchTemplate", one.name


def test_the_provider_marks_everything_and_minds_the_account() -> None:
    provider = declared()["training-aws"]
    assert STAMP in json.dumps(provider.inputs["defaultTags"])
    assert "000000000000" in json.dumps(provider.inputs["allowedAccountIds"])


def test_machine_disk_and_group_carry_stamp_and_lease() -> None:
    found = declared()
    for part in found["training-host-template"].inputs["tagSpecifications"]:
        assert {STAMP, LEASE} <= part["tags"].keys(), part["resourceType"]
    group = found["training-host-group"]
    assert {STAMP, LEASE} <= {tag["key"] for tag in group.inputs["tags"]}


def test_the_timer_and_the_data_are_there_before_the_machine() -> None:
    found = declared()
    before = set(found["training-host-group"].after) | set(found["training-host-template"].after)
    parts = [timer(found, part) for part in ("-at", "-again", "-right")]
    for name in (*parts, "training-data", "training-rescue-run"):
        assert found[name].urn in before, name
    assert found["training-host-group"].urn in found["training-run"].after


def test_what_rescues_the_run_goes_before_its_bucket() -> None:
    found = declared()
    (rescue,) = kinds(found, "RunRescue")
    (run,) = kinds(found, "TrainingRun")
    assert {key: rescue.inputs[key] for key in ("runHost", "runPath", "home")} == {
        key: run.inputs[key] for key in ("runHost", "runPath", "home")
    }
    assert found["training-bucket-bucket"].urn in rescue.after
    assert "training-rescue-run-2" in declared(rerun="2")


def test_the_timer_aims_at_the_group_by_its_name() -> None:
    found = declared()
    name = found["training-host-group"].inputs["name"]
    for schedule in kinds(found, "Schedule"):
        assert json.loads(schedule.inputs["target"]["input"])["AutoScalingGroupName"] == name
    right = json.loads(found[timer(found, "-right")].inputs["policy"])["Statement"][0]
    assert right["Resource"].endswith(f"/{name}")
    assert right["Action"] == "autoscaling:UpdateAutoScalingGroup"


def test_another_job_leaves_the_old_machine_its_timer_and_its_right_to_end() -> None:
    """Whatever keeps its name is changed before the old machine is gone, and stays so where the `up` fails."""
    first, second = declared(), declared(rerun="2")
    group = first["training-host-group"].inputs["name"]
    assert group != second["training-host-group"].inputs["name"]
    assert not [name for name in first.keys() & second.keys() if "deadline" in name or "lease" in name]
    assert {one.name for one in kinds(first, "Schedule")} == {timer(first, "-at"), timer(first, "-again")}
    rights = [found["training-role-rights"].inputs["policy"] for found in (first, second)]
    assert rights[0] == rights[1]
    (end,) = [one for one in json.loads(rights[0])["Statement"] if one["Sid"] == "EndOwnGroup"]
    assert fnmatchcase(group, end["Resource"][0].rpartition("/")[2])


def test_another_up_never_rents_again_by_the_group_s_sizes() -> None:
    assert {"minSize", "maxSize", "desiredCapacity"} <= set(declared()["training-host-group"].ignored)


def test_another_job_is_another_group_and_the_same_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"x")

    def group(**changed: str) -> dict[str, Any]:
        return dict(declared_anew(dataUrl=str(tmp_path), **changed)["training-host-group"].inputs)

    first = group()
    assert group() == first
    names = {first["name"], group(recipe="fine_tune")["name"], group(rerun="2")["name"]}
    (tmp_path / "two.png").write_bytes(b"y")
    names.add(group()["name"])
    assert len(names) == 4


@pytest.mark.parametrize("network", ["cheap", "private"])
def test_nothing_is_open_and_no_right_is_a_wildcard(network: str) -> None:
    found = declared(network=network, notifyUrl="json://host/x")
    for rule in kinds(found, "SecurityGroupIngressRule"):  # the doors let the machine in, and nobody else
        assert rule.inputs["referencedSecurityGroupId"] == "training-network-machine-id"
        assert not rule.inputs.keys() & {"cidrIpv4", "cidrIpv6", "prefixListId"}
    for group in kinds(found, "SecurityGroup"):
        assert not group.inputs.get("ingress")
    for name, document in documents(found):
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if statement["Effect"] == "Allow":
                assert all("*" not in action for action in actions), name
    template = found["training-host-template"].inputs
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert "keyName" not in template
    assert template["networkInterfaces"][0]["associatePublicIpAddress"] == (
        "true" if network == "cheap" else "false"
    )


def test_every_disk_is_encrypted_by_the_stack_s_key() -> None:
    found = declared()
    for mapping in found["training-host-template"].inputs["blockDeviceMappings"]:
        assert mapping["ebs"]["encrypted"] == "true"
        assert mapping["ebs"]["kmsKeyId"]
        assert mapping["ebs"]["volumeType"] == "gp3"


def test_no_secret_is_in_any_input_and_the_machine_is_told_where_it_lies() -> None:
    found = declared(notifyUrl="json://host/PLANTED-WORD")
    assert "PLANTED-WORD" not in json.dumps([dict(one.inputs) for one in found.values()])
    orders = orders_of(found)
    assert "PLANTED-WORD" not in json.dumps(orders)
    assert orders["variables"]["SONARSTACK_SECRET_ID"].startswith("aws:")
    assert "SONARSTACK_NOTIFY_URL" not in orders["variables"]


def test_the_machine_is_told_the_same_places_as_the_run() -> None:
    found = declared()
    orders, run = orders_of(found), found["training-run"].inputs
    assert orders["variables"]["SONARSTACK_RUN_URL"].endswith(run["runPath"])
    assert orders["keep"][-1].endswith(f"{run['where']['notes']}/{{name}}")
    data = found["training-data"].inputs
    assert orders["variables"]["SONARSTACK_DATA_URL"].endswith(data["target"])
    assert f"awslogs-stream={run['where']['logStream']}" in orders["docker"]
    assert orders["end"][0][6] == found["training-host-group"].inputs["name"]


def test_all_gpus_of_a_machine_train() -> None:
    assert "SONARSTACK_NPROC" not in orders_of(declared())["variables"]
    many = declared(instanceTypes='["p4d.24xlarge"]', maxUsdPerH="9")
    assert orders_of(many)["variables"]["SONARSTACK_NPROC"] == "auto"


def test_no_input_holds_the_text_of_what_is_not_known_yet() -> None:
    for one in declared(notifyUrl="json://host/x").values():
        assert "Calling __str__ on an Output" not in json.dumps(dict(one.inputs)), one.name


def test_a_bucket_that_is_kept_keeps_its_locks_and_its_key() -> None:
    kept = [one.name for one in declared().values() if one.retained]
    assert {
        "training-bucket-bucket",
        "training-bucket-policy",
        "training-key-key",
        "training-bucket-closed",
    } <= set(kept)
    assert not [one for one in declared(keepBucket="false").values() if one.retained]


def test_spot_has_its_limit_and_on_demand_has_none() -> None:
    spot = declared()["training-host-group"].inputs["mixedInstancesPolicy"]["instancesDistribution"]
    assert (spot["spotMaxPrice"], spot["onDemandPercentageAboveBaseCapacity"]) == ("0.8", 0)
    steady = declared(market="on_demand")["training-host-group"].inputs
    assert (
        steady["mixedInstancesPolicy"]["instancesDistribution"]["onDemandPercentageAboveBaseCapacity"] == 100
    )


def test_another_image_is_pushed_by_a_token_of_its_day() -> None:
    image = declared()["training-image-cloud"]
    # An ignored token stays the stored one, which is good for twelve hours, except where the image is replaced.
    assert (image.ignored, image.replaced_on) == (("registry",), ("imageName",))


def test_a_v100_brings_the_image_that_drives_it() -> None:
    found = declared(
        instanceTypes='["p3.2xlarge"]',
        allowRetired="true",
        ami="ami-0123456789abcdef0",
        maxUsdPerH="3.1",
    )
    assert found["training-image-cuda"].inputs["build"]["args"]["TORCH"] == "2.10.0"
    assert found["training-host-template"].inputs["imageId"] == "ami-0123456789abcdef0"


def test_where_a_spot_market_may_end_on_demand_the_worst_case_is_on_demand() -> None:
    wanted = {"instanceTypes": '["g4dn.xlarge"]', "maxUsdPerH": "0.25", "maxHours": "12", "maxUsd": "3.1"}
    assert money_of(settings(**wanted)).lease.machine_usd == pytest.approx(3.0)
    with pytest.raises(SettingsError, match=r"the lease can cost \$6\.37, above sonarstack:maxUsd=3\.1"):
        money_of(settings(**wanted, onDemandAfter="1"))
    money = money_of(settings(maxUsdPerH="2", onDemandAfter="1"))
    assert money.per_hour.machine_usd == 2
    assert "g6.xlarge on demand" in money.unpriced
    assert "g6.xlarge on demand" not in money_of(settings()).unpriced


def test_up_looks_at_the_account_with_what_the_market_may_end_in(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def look(*_: Any, **told: Any) -> Account:
        asked.update(told)
        raise AwsError("far enough")

    monkeypatch.setattr(target, "look_at_account", look)
    monkeypatch.setattr(target, "refuse_unprepared", lambda _: None)
    with pytest.raises(AwsError, match="far enough"):
        declare(lambda: deploy(settings(onDemandAfter="3"), "night"), project="sonarstack", stack="night")
    assert asked["on_demand_after"] == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"instanceTypes": '["p3.2xlarge"]'}, r"p3\.2xlarge .*is retired.*allowRetired"),
        ({"instanceTypes": '["p3.2xlarge"]', "allowRetired": "true"}, r"needs an AMI of yours"),
        (
            {"instanceTypes": '["g5.xxlarge"]'},
            r"no instance type with a GPU that this project knows; near it",
        ),
        ({"dataUrl": "s3://other/data"}, r"reads the stack's own bucket only"),
        ({"runUrl": "s3://other/run"}, r"not used on aws"),
        ({"gpuCount": "4"}, r"gpuCount is not used on aws"),
        ({"zones": '["eu-west-1a"]'}, r"is not in us-east-1"),
        ({"budgetUsd": "5"}, r"go together"),
        ({"onDemandAfter": "3", "market": "on_demand"}, r"is for sonarstack:market spot"),
        ({"logDays": "8"}, r"logDays"),
        ({"ami": "latest"}, r"ami"),
    ],
)
def test_bad_settings_are_told_in_one_line(changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**changed)


def test_up_without_credentials_is_one_line_before_anything_is_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    wanted = settings(image="docker.io/me/mine@sha256:0")
    with pytest.raises(AwsError, match="no AWS credentials"):
        declare(lambda: deploy(wanted, "night"), project="sonarstack", stack="night")
