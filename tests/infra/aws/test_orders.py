"""What an EC2 machine is told: commands as AWS's own programs take them, and nothing secret."""

import json
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from infra.aws.group import end_request, end_words, group_arn, group_name, group_names, on_demand_words
from infra.aws.orders import HostOrders, host_orders
from infra.vm.cloud_init import AT_MOST_BYTES, cloud_init

HOST = HostOrders(
    group="stamp-host-12345678",
    region="eu-north-1",
    bucket="the-bucket",
    notes="runs/dev/host/stamp-host-12345678",
    log_group="/sonarstack/stamp",
    log_stream="run/stamp-host-12345678",
    image="123456789012.dkr.ecr.eu-north-1.amazonaws.com/images@sha256:abc",
    arguments=("train", "--run", "/runs/run"),
    variables={"SONARSTACK_DATA_URL": "s3://the-bucket/data/dev/0"},
    lease_until_s=1_800_000_000.0,
    on_demand_after=3,
)


def test_names_and_requests_say_the_same() -> None:
    assert group_name("stamp", "0123456789abcdef") == "stamp-host-01234567"
    assert json.loads(end_request("g")) == {
        "AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0,
    }  # fmt: skip
    words = end_words("g", "eu-north-1")
    told = dict(zip(words[3::2], words[4::2], strict=True))
    assert told == {
        "--region": "eu-north-1", "--auto-scaling-group-name": "g", "--min-size": "0", "--max-size": "0",
        "--desired-capacity": "0",
    }  # fmt: skip
    assert json.loads(on_demand_words("g", "eu-north-1")[-1]) == {
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 100}
    }
    assert group_arn("1", "eu-north-1", "g").endswith(":autoScalingGroup:*:autoScalingGroupName/g")


@pytest.mark.parametrize("stamp", ["sonarstack-night-abc123", f"{'p' * 20}-{'s' * 24}-abc123"])
def test_one_pattern_is_all_groups_of_a_stack_and_no_other_s(stamp: str) -> None:
    pattern = group_names(stamp)
    assert pattern.startswith(stamp)
    assert all(fnmatchcase(group_name(stamp, job * 16), pattern) for job in "09af")
    assert not fnmatchcase(group_name(f"{stamp[:-1]}4", "0" * 16), pattern)


def test_the_container_sees_the_gpus_and_can_do_little_else() -> None:
    docker = host_orders(HOST).docker
    assert docker[:2] == ("--gpus", "all")
    text = " ".join(docker)
    assert "--cap-drop ALL --security-opt no-new-privileges" in text
    assert "--user 10001:10001" in text
    assert "--log-driver awslogs" in text
    assert "mode=non-blocking" in text
    assert "--privileged" not in text


def test_an_image_of_elsewhere_needs_no_sign_in() -> None:
    from dataclasses import replace

    assert host_orders(HOST).sign_in[:2] == ("sh", "-c")
    assert host_orders(replace(HOST, image="docker.io/me/sonarstack@sha256:abc")).sign_in == ()


def test_notes_lie_where_the_job_is_asked_for() -> None:
    assert host_orders(HOST).keep[-1] == "s3://the-bucket/runs/dev/host/stamp-host-12345678/{name}"


def test_interruptions_are_counted_by_their_notes(tmp_path: Path) -> None:
    (tmp_path / "aws").write_text("#!/bin/sh\nprintf '2026 1 a.json\\n2026 1 b.json\\n'\n")
    (tmp_path / "aws").chmod(0o755)
    done = subprocess.run(
        host_orders(HOST).count_interruptions,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2"


def test_the_start_text_fits_and_shell_words_are_shell() -> None:
    text = cloud_init(host_orders(HOST))
    assert len(text.encode()) < AT_MOST_BYTES / 2
    for words in (*yaml.safe_load(text)["runcmd"], host_orders(HOST).identity, host_orders(HOST).sign_in):
        if words[:2] == ["sh", "-c"] or tuple(words[:2]) == ("sh", "-c"):
            assert subprocess.run(["sh", "-n", "-c", words[2]], capture_output=True).returncode == 0


@pytest.mark.parametrize("secret", ["AWS_SECRET_ACCESS_KEY", "password", "token="])
def test_nothing_secret_is_among_the_orders(secret: str) -> None:
    plain = json.dumps(
        {k: v for k, v in host_orders(HOST).as_dict().items() if k not in ("identity", "signIn")}
    )
    assert secret not in plain
