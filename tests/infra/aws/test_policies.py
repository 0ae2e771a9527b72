"""The documents of rights: what the machine may do, word by word; two judges who are not us."""

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.aws.account import client
from infra.aws.bucket_policy import bucket_document
from infra.aws.endpoint_policies import SERVICES, gateway_document, interface_document
from infra.aws.flow_logs import write_document
from infra.aws.key_policy import key_document
from infra.aws.policies import NO_NARROWER, PULL, SESSION, host_document, trust_document
from infra.aws.secrets import readers_document
from tests.infra.aws.linting import lint
from tests.infra.aws.things import ACCOUNT, FLOWS, GROUPS, KEY_ARN, LOGS, PLACES, READERS, REGION, SECRET_ARN

BARE = replace(PLACES, secret_arn=None, repository_arn=None)
IDENTITY = {
    "host": host_document(PLACES),
    "host without secret and image": host_document(BARE),
    "flow logs": write_document(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{FLOWS}"),
}
RESOURCE = {
    "bucket": bucket_document(PLACES.bucket_arn, KEY_ARN),
    "key": key_document(ACCOUNT, REGION, log_groups=[LOGS, FLOWS], spot=True),
    "secret": readers_document(SECRET_ARN, READERS),
    "s3 gateway": gateway_document(REGION, ACCOUNT, ["night-bucket"]),
    **{service.name: interface_document(service, REGION, ACCOUNT) for service in SERVICES},
}
MAY = {
    "ReadDataAndRuns", "WriteRuns", "ListOwnBucket", "KeyThroughBucket", "KeyThroughSecret", "WriteLogs",
    "WriteMetrics", "ReadSecret", "LogInToRegistry", "PullImage", "EndOwnGroup", "SessionHeartbeat", "SessionChannels",
}  # fmt: skip


def statements(document: str) -> dict[str, dict[str, Any]]:
    return {one["Sid"]: one for one in json.loads(document)["Statement"]}


def test_the_machine_may_do_this_and_nothing_else() -> None:
    may = statements(host_document(PLACES))
    assert may.keys() == MAY
    bucket = "arn:aws:s3:::night-bucket"
    assert may["ReadDataAndRuns"]["Resource"] == [f"{bucket}/data/*", f"{bucket}/runs/night/*"]
    assert may["WriteRuns"]["Resource"] == [f"{bucket}/runs/night/*"]
    assert "s3:DeleteObjectVersion" not in may["WriteRuns"]["Action"]
    assert may["ListOwnBucket"]["Resource"] == [bucket]
    assert may["WriteMetrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Sonarstack/night"}}
    assert may["PullImage"]["Resource"] == [PLACES.repository_arn]
    assert may["ReadSecret"]["Resource"] == [SECRET_ARN]
    assert all(one["Resource"][0].endswith("*") is False for one in (may["PullImage"], may["ReadSecret"]))


def test_the_key_is_open_through_the_bucket_and_the_secret_only() -> None:
    may = statements(host_document(PLACES))
    assert may["KeyThroughBucket"]["Condition"]["StringEquals"] == {
        "kms:ViaService": "s3.us-east-1.amazonaws.com"
    }
    assert may["KeyThroughSecret"]["Condition"]["StringEquals"] == {
        "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com",
        "kms:EncryptionContext:SecretARN": SECRET_ARN,
    }
    with_key = [one for one in may.values() if any(action.startswith("kms:") for action in one["Action"])]
    assert all("kms:ViaService" in one["Condition"]["StringEquals"] for one in with_key)
    assert all(one["Resource"] == [KEY_ARN] for one in with_key)


def test_the_machine_ends_groups_of_its_own_stack_and_never_grows_one() -> None:
    end = statements(host_document(PLACES))["EndOwnGroup"]
    assert end["Resource"] == [
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/{GROUPS}"
    ]
    assert end["Condition"] == {"NumericEqualsIfExists": {"autoscaling:MaxSize": "0"}}


def test_without_a_secret_or_an_image_there_is_no_right_to_one() -> None:
    assert MAY - statements(host_document(BARE)).keys() == {
        "KeyThroughSecret", "ReadSecret", "LogInToRegistry", "PullImage",
    }  # fmt: skip


def test_what_stands_on_everything_is_known_and_has_its_reason() -> None:
    on_all = {
        action
        for one in statements(host_document(PLACES)).values()
        if "*" in one["Resource"]
        for action in one["Action"]
    }
    assert on_all == NO_NARROWER.keys() == {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", *SESSION}
    assert all(len(reason) > 20 for reason in NO_NARROWER.values())


def test_other_partitions_have_other_arns() -> None:
    places = replace(PLACES, region="us-gov-west-1")
    assert statements(host_document(places))["SessionHeartbeat"]["Resource"][0].startswith(
        "arn:aws-us-gov:ec2:"
    )


def test_the_bucket_refuses_old_ways_and_other_keys_but_takes_a_writer_who_names_none() -> None:
    no = statements(RESOURCE["bucket"])
    assert {one["Effect"] for one in no.values()} == {"Deny"}
    assert no["NoPlainHttp"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert no["NoOldTls"]["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    header = "s3:x-amz-server-side-encryption"
    assert no["NoOtherEncryption"]["Condition"] == {
        "Null": {header: "false"}, "StringNotEquals": {header: "aws:kms"},
    }  # fmt: skip
    assert no["NoOtherKey"]["Condition"] == {
        "Null": {f"{header}-aws-kms-key-id": "false"}, "ArnNotEquals": {f"{header}-aws-kms-key-id": KEY_ARN},
    }  # fmt: skip
    for sid in ("NoPlainHttp", "NoOldTls"):
        assert no[sid]["Resource"] == [PLACES.bucket_arn, f"{PLACES.bucket_arn}/*"]


def test_the_key_lets_services_in_by_what_they_encrypt() -> None:
    may = statements(RESOURCE["key"])
    assert may["EncryptLogs"]["Condition"]["StringEquals"]["kms:EncryptionContext:aws:logs:arn"] == [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}" for name in (LOGS, FLOWS)
    ]
    assert may["AttachDisks"]["Action"] == ["kms:CreateGrant"]
    assert may["AttachDisks"]["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert len(may["EncryptDisks"]["Principal"]["AWS"]) == 2
    on_demand = statements(key_document(ACCOUNT, REGION, log_groups=[LOGS], spot=False))
    assert [arn.rpartition("/")[2] for arn in on_demand["EncryptDisks"]["Principal"]["AWS"]] == [
        "AWSServiceRoleForAutoScaling"
    ]


def test_whoever_administers_the_key_can_take_it_back() -> None:
    """KMS refuses a policy that would lock its own author out; this is what must be there for it not to."""
    decides = statements(RESOURCE["key"])["AccountDecides"]
    assert decides["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateGrant", "kms:Decrypt"} <= set(
        decides["Action"]
    )


def test_doors_let_only_this_account_pass_and_only_what_the_machine_asks() -> None:
    rights = {action for one in statements(host_document(PLACES)).values() for action in one["Action"]}
    for service in SERVICES:
        for only in statements(interface_document(service, REGION, ACCOUNT)).values():
            assert only["Condition"] == {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
            assert set(only["Action"]) <= rights
            assert set(only["Action"]) <= NO_NARROWER.keys() or f"{REGION}:{ACCOUNT}:" in only["Resource"][0]
    through = {action for service in SERVICES for action in service.actions}
    # S3 has its gateway; KMS is asked by S3 and Secrets Manager themselves.
    assert {right for right in rights - through if right.partition(":")[0] not in ("s3", "kms")} == set()
    layers = statements(RESOURCE["s3 gateway"])["ImageLayersAndAgent"]
    assert f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*" in layers["Resource"]
    assert layers["Action"] == ["s3:GetObject"]
    assert set(PULL) <= through


def test_a_role_for_flow_logs_is_this_account_s_only() -> None:
    trust = json.loads(
        trust_document("vpc-flow-logs.amazonaws.com", {"StringEquals": {"aws:SourceAccount": ACCOUNT}})
    )
    assert trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT


@pytest.mark.parametrize("name", IDENTITY)
def test_iam_takes_the_grammar_of_every_right(aws: str, name: str) -> None:
    iam = client("iam", REGION)
    made = iam.create_policy(PolicyName="candidate", PolicyDocument=IDENTITY[name])
    assert made["Policy"]["Arn"]
    assert len(IDENTITY[name].replace(" ", "")) < 6144  # a boundary is a managed policy, which ends there


def test_that_judge_refuses_a_broken_grammar(aws: str) -> None:
    broken = IDENTITY["host"].replace('"Resource"', '"Resources"', 1)
    with pytest.raises(Exception, match="MalformedPolicyDocument"):
        client("iam", REGION).create_policy(PolicyName="candidate", PolicyDocument=broken)


@pytest.mark.parametrize("name", IDENTITY)
def test_a_linter_finds_nothing_in_the_rights(name: str) -> None:
    assert [(one.issue, one.detail) for one in lint(IDENTITY[name])] == []


@pytest.mark.parametrize("name", RESOURCE)
def test_a_linter_finds_nothing_in_policies_of_things(name: str) -> None:
    found = [(one.issue, str(one.detail)) for one in lint(RESOURCE[name])]
    if (
        name == "key"
    ):  # in a key's policy `*` is that key, which this linter of identities' rights does not know
        found = [(issue, detail) for issue, detail in found if issue != "RESOURCE_STAR"]
    # It takes whole numbers only, and S3's own documentation has 1.2; s3:* reaches one action without that condition.
    assert [detail for _, detail in found if "s3:TlsVersion" not in detail] == []


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("s3:PutObject", "s3:PutObjects", "UNKNOWN_ACTION"),
        ("cloudwatch:namespace", "cloudwatch:namespaces", "UNKNOWN_CONDITION_FOR_ACTION"),
        (str(PLACES.repository_arn), PLACES.bucket_arn, "RESOURCE_MISMATCH"),
    ],
)
def test_that_linter_sees_mistakes(old: str, new: str, issue: str) -> None:
    assert issue in {one.issue for one in lint(IDENTITY["host"].replace(old, new))}
