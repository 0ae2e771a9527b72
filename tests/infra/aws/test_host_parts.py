"""Role, secret, records and registry: what each lets in, and in which order they come to be."""

import json
from dataclasses import replace

import pytest

from infra.aws.agent import DIMENSION, DISK, GPU_BUSY, GPU_MEMORY, MEMORY, agent_config
from infra.aws.identity import HostRole
from infra.aws.policies import host_document
from infra.aws.secrets import StackSecret
from stacks.mock_run import SHOWN_SECRET
from tests.infra.aws.things import ACCOUNT, GROUP, LOGS, NAMESPACE, PLACES, READERS, ROLE, SECRET, component
from tests.infra.declared import made


def test_the_role_is_within_a_boundary_of_the_same_rights() -> None:
    declared = component("HostRole")
    assert (
        declared["it-rights"].inputs["policy"]
        == declared["it-boundary"].inputs["policy"]
        == host_document(PLACES)
    )
    assert (
        declared["it-role"].inputs["permissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/night-host-most"
    )
    trust = json.loads(declared["it-role"].inputs["assumeRolePolicy"])
    assert [one["Principal"] for one in trust["Statement"]] == [{"Service": "ec2.amazonaws.com"}]
    assert not {"managedPolicyArns", "inlinePolicies"} & declared["it-role"].inputs.keys()


def test_the_profile_is_there_after_the_rights() -> None:
    declared = component("HostRole")
    assert declared["it-rights"].urn in declared["it-profile"].after


def test_a_role_without_secret_and_image() -> None:
    declared = made(lambda: HostRole("it", replace(ROLE, secret_arn=None, repository_arn=None)))
    assert "secretsmanager" not in declared["it-rights"].inputs["policy"]
    assert "ecr:" not in declared["it-rights"].inputs["policy"]


def test_the_secret_is_locked_before_it_holds_something_and_never_in_the_clear() -> None:
    declared = component("StackSecret")
    assert declared["it-version"].inputs["secretString"] == SHOWN_SECRET
    assert "planted" not in str([one.inputs for one in declared.values()])
    assert declared["it-readers"].urn in declared["it-version"].after
    assert declared["it-readers"].inputs["blockPublicPolicy"] is True
    (refusal,) = json.loads(declared["it-readers"].inputs["policy"])["Statement"]
    assert (refusal["Effect"], refusal["Action"]) == ("Deny", "secretsmanager:GetSecretValue")
    assert refusal["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": list(READERS)}}


def test_a_secret_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="readers is empty"):
        made(lambda: StackSecret("it", replace(SECRET, readers=())))


def test_errors_of_the_application_are_counted() -> None:
    declared = component("Logs")
    counted = declared["it-errors"].inputs
    assert counted["pattern"] == '{ ($.level = "ERROR") || ($.level = "CRITICAL") }'
    assert counted["metricTransformation"]["namespace"] == NAMESPACE
    assert counted["logGroupName"] == LOGS
    alarm = declared["it-errors-alarm"].inputs
    assert (alarm["metricName"], alarm["namespace"]) == (counted["metricTransformation"]["name"], NAMESPACE)
    assert "dimensions" not in alarm  # a filter with a default value can have none


def test_alarms_and_page_find_the_figures_by_the_dimension_that_the_agent_gives() -> None:
    config = agent_config(NAMESPACE, GROUP)["metrics"]
    assert config["namespace"] == NAMESPACE
    assert config["aggregation_dimensions"] == [[DIMENSION]]
    assert {part["append_dimensions"][DIMENSION] for part in config["metrics_collected"].values()} == {GROUP}
    assert "append_dimensions" not in config  # there it would be asked of EC2
    measured = {
        f"{prefix}{name}" if not name.startswith(prefix) else name
        for part, prefix in (("nvidia_gpu", "nvidia_smi_"), ("mem", "mem_"), ("disk", "disk_"))
        for name in config["metrics_collected"][part]["measurement"]
    }
    assert {GPU_BUSY, GPU_MEMORY, MEMORY, DISK} <= measured
    declared = component("Logs")
    for name in ("it-disk-alarm", "it-memory-alarm"):
        assert declared[name].inputs["dimensions"] == {DIMENSION: GROUP}
        assert declared[name].inputs["metricName"] in measured
    widgets = json.loads(declared["it-page"].inputs["dashboardBody"])["widgets"]
    figures = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]
    assert {figure[1] for figure in figures} == {GPU_BUSY, GPU_MEMORY, MEMORY, DISK, "Errors"}
    assert {figure[0] for figure in figures} == {NAMESPACE}
    assert LOGS in widgets[-1]["properties"]["query"]


def test_the_agent_sends_files_only_into_a_group() -> None:
    config = agent_config(
        NAMESPACE, GROUP, log_group=LOGS, log_files={"/var/log/host.log": "{instance_id}/host"}
    )
    assert config["logs"]["logs_collected"]["files"]["collect_list"] == [
        {"file_path": "/var/log/host.log", "log_group_name": LOGS, "log_stream_name": "{instance_id}/host"}
    ]
    assert "logs" not in agent_config(NAMESPACE, GROUP, log_group=LOGS)
    with pytest.raises(ValueError, match="log_files without a log_group"):
        agent_config(NAMESPACE, GROUP, log_files={"/var/log/host.log": "host"})


def test_images_are_scanned_and_their_tags_stay() -> None:
    repository = component("ImageRepository")["it-repository"].inputs
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    (encryption,) = repository["encryptionConfigurations"]
    assert (encryption["encryptionType"], encryption["kmsKey"]) == ("KMS", PLACES.key_arn)
    (rule,) = json.loads(component("ImageRepository")["it-old"].inputs["policy"])["rules"]
    assert rule["selection"]["countNumber"] == 5
