"""The rules against the AWS stack as it is declared, which breaks none, and against mistakes planted into it."""

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pulumi_aws as aws
import pytest

from infra.aws.policies import NO_NARROWER
from infra.naming import tags
from stacks.policy.addresses import is_own
from stacks.policy.aws import RULES
from stacks.policy.aws.marks import UNTAGGABLE
from stacks.policy.aws.rights import ON_EVERYTHING
from stacks.policy.marks import LEASE, STAMP
from stacks.policy.subject import UNKNOWN, Subject
from tests.stacks.aws_stack import declared
from tests.stacks.policy import planting
from tests.stacks.policy.planting import Inputs, changed, places


def stack(**changed: Any) -> dict[str, Subject]:
    """The stack whole, as the engine would show it to the pack."""
    found = declared(**changed)
    marks = found["training-aws"].inputs["defaultTags"]
    marks = (json.loads(marks) if isinstance(marks, str) else marks)["tags"]
    return {one.name: planting.subject_of(one, marks) for one in found.values()}


def told(subjects: Mapping[str, Subject]) -> list[tuple[str, str, str]]:
    return planting.told(RULES, subjects)


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"network": "private", "notifyUrl": "json://host/x", "keepBucket": "false", "market": "on_demand"},
        {"budgetEmail": "me@example.org", "budgetUsd": "50", "image": "docker.io/me/mine@sha256:0"},
    ],
)
def test_the_stack_as_it_is_breaks_no_rule(way: dict[str, str]) -> None:
    assert told(stack(**way)) == []


def statement(**more: Any) -> Callable[[Inputs], object]:
    """A further statement in the resource's policy."""

    def add(inputs: Inputs) -> None:
        document = json.loads(inputs["policy"])
        document["Statement"].append({"Effect": "Allow", "Resource": "arn:aws:s3:::x/y", **more})
        inputs["policy"] = json.dumps(document)

    return add


def untag(key: str, *places: str) -> Callable[[Inputs], object]:
    def take(inputs: Inputs) -> None:
        if "tagSpecifications" in inputs:
            for one in inputs["tagSpecifications"]:
                if one["resourceType"] in places:
                    del one["tags"][key]
        else:
            inputs["tags"] = [one for one in inputs["tags"] if one["key"] != key]

    return take


def disk(inputs: Inputs) -> Inputs:
    return dict(inputs["blockDeviceMappings"][0])["ebs"]


def default(inputs: Inputs) -> Inputs:
    return dict(inputs["rules"][0])["applyServerSideEncryptionByDefault"]


STORAGE, INGRESS, BUCKET = "encrypted-storage", "no-public-ingress", "no-public-bucket"
RIGHTS, MARK, LEASES, TOKEN = (
    "no-wildcard-rights", "stamp-on-everything", "lease-on-machines", "rights-by-token",
)  # fmt: skip

PLANTED: list[tuple[str, str, Callable[[Inputs], object], str]] = [
    (STORAGE, "training-bucket-encryption", lambda i: default(i).update(sseAlgorithm="AES256"), "use aws:kms"),
    (STORAGE, "training-bucket-encryption", lambda i: default(i).pop("kmsMasterKeyId"), "stack's key"),
    (STORAGE, "training-host-template", lambda i: disk(i).update(encrypted="false"), "disk /dev/sda1 is not enc"),
    (STORAGE, "training-host-template", lambda i: disk(i).pop("kmsKeyId"), "means a key of AWS"),
    (STORAGE, "training-host-template", lambda i: i.pop("blockDeviceMappings"), "root disk"),
    (STORAGE, "training-logs-records", lambda i: i.pop("kmsKeyId"), "kmsKeyId is not set"),
    (STORAGE, "training-images-repository", lambda i: i.pop("encryptionConfigurations"), "encryptionType=KMS"),
    (
        INGRESS,
        "training-network-machine",
        lambda i: i.update(ingress=[{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22, "toPort": 22}]),
        r"lets in 0\.0\.0\.0/0, ports 22 to 22; let in a security group",
    ),
    (BUCKET, "training-bucket-closed", lambda i: i.update(blockPublicPolicy=False), "blockPublicPolicy is off"),
    (BUCKET, "training-bucket-bucket", lambda i: i.update(acl="public-read"), "acl=public-read opens"),
    (
        RIGHTS,
        "training-role-rights",
        statement(Sid="All", Action="s3:*"),
        r"statement All: action s3:\* is a wildcard; name the actions",
    ),
    (RIGHTS, "training-role-rights", statement(Action=["s3:Get*"]), r"without Sid: action s3:Get\*"),
    (RIGHTS, "training-role-rights", statement(Action="s3:GetObject", Resource="*"), r"s3:GetObject on \*"),
    (RIGHTS, "training-role-rights", statement(NotAction="iam:*"), "NotAction with Allow"),
    (
        RIGHTS,
        "training-key-policy",
        statement(Action="kms:Decrypt", Principal={"AWS": "*"}),
        "everybody, without a condition",
    ),
    (MARK, "training-host-group", untag(STAMP), f"no tag {STAMP}; give it"),
    (MARK, "training-host-template", untag(STAMP, "volume"), f"its volume would have no tag {STAMP}"),
    (LEASES, "training-host-group", untag(LEASE), f"it has no tag {LEASE}.*leaseUntil"),
    (LEASES, "training-host-template", untag(LEASE, "instance"), "its instance has no tag"),
    (LEASES, "training-host-group", lambda i: i.update(tags=marks_until("never")), "=never, which is no moment"),
    (TOKEN, "training-host-template", lambda i: i["metadataOptions"].update(httpTokens="optional"), "IMDSv1"),
    (TOKEN, "training-host-template", lambda i: i.pop("metadataOptions"), "set metadataOptions"),
]  # fmt: skip


def marks_until(until: str) -> list[dict[str, str]]:
    return [{"key": STAMP, "value": "x"}, {"key": LEASE, "value": until}]


@pytest.mark.parametrize(("rule", "name", "change", "said"), PLANTED)
def test_a_planted_mistake_is_refused_by_the_one_rule(
    rule: str, name: str, change: Callable[[Inputs], object], said: str
) -> None:
    found = told(changed(stack(), name, change))
    assert {(who, where) for who, where, _ in found} == {(rule, name)}
    assert any(re.search(said, text) for _, _, text in found), found


def added(token: str, **inputs: Any) -> dict[str, Subject]:
    """The stack and one resource more."""
    new = Subject(urn="urn:new", token=token, name="new", inputs=inputs, provider_tags={STAMP: "x"})
    return {**stack(), "new": new}


@pytest.mark.parametrize(
    ("rule", "token", "inputs"),
    [
        (STORAGE, "aws:ebs/volume:Volume", {"size": 5, "kmsKeyId": "k"}),
        (STORAGE, "aws:ebs/volume:Volume", {"encrypted": True}),
        (STORAGE, "aws:secretsmanager/secret:Secret", {}),
        (INGRESS, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv4": "203.0.113.9/32"}),
        (INGRESS, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv6": "::/0"}),
        (INGRESS, "aws:ec2/securityGroupRule:SecurityGroupRule", {"type": "ingress", "cidrBlocks": ["0.0.0.0/0"]}),
        (BUCKET, "aws:s3/bucketAcl:BucketAcl", {"acl": "authenticated-read"}),
        (RIGHTS, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", {
            "policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"
        }),
        (LEASES, "aws:ec2/fleet:Fleet", {}),
    ],
)  # fmt: skip
def test_a_resource_too_many_is_refused_by_the_one_rule(rule: str, token: str, inputs: Inputs) -> None:
    assert [(who, where) for who, where, _ in told(added(token, **inputs))] == [(rule, "new")]


def test_a_bucket_without_its_locks_is_refused() -> None:
    for missing, rule in (("training-bucket-encryption", STORAGE), ("training-bucket-closed", BUCKET)):
        found = stack()
        del found[missing]
        assert [(who, where) for who, where, _ in told(found)] == [(rule, "training-bucket-bucket")]


def test_a_policy_that_opens_the_bucket_breaks_the_rules_of_buckets_and_of_rights() -> None:
    opened = changed(stack(), "training-bucket-policy", statement(Action="s3:GetObject", Principal="*"))
    assert {who for who, _, _ in told(opened)} == {BUCKET, RIGHTS}


def test_without_the_provider_s_tags_what_has_none_of_its_own_is_told() -> None:
    bare = {name: replace(one, provider_tags=None) for name, one in stack().items()}
    (timer,) = [name for name in bare if name.startswith("training-deadline-") and name.endswith("-role")]
    assert {(who, where) for who, where, _ in told(bare)} == {
        (MARK, name) for name in (timer, "training-idle-alarm", "training-host-template")
    }


def test_an_instance_of_its_own_breaks_what_it_can_break() -> None:
    found = told(added("aws:ec2/instance:Instance", instanceType="g4dn.xlarge"))
    assert {who for who, _, _ in found} == {STORAGE, LEASES, TOKEN}


def test_what_is_not_known_yet_is_judged_at_up() -> None:
    blind = {name: replace(one, inputs=dict.fromkeys(one.inputs, UNKNOWN)) for name, one in stack().items()}
    assert told(blind) == []


def test_every_part_of_an_input_may_be_unknown() -> None:
    """One at a time: an error here would stop an `up` for nothing, a finding would be a guess."""
    whole = stack()
    tried = 0
    for name, one in whole.items():
        if not one.token.startswith("aws:"):
            continue
        inputs = copy.deepcopy(dict(one.inputs))
        for holder, key in places(inputs):
            was, holder[key] = holder[key], UNKNOWN
            found = [text for rule in RULES if rule.one for text in rule.one(replace(one, inputs=inputs))]
            assert found == [], (name, key)
            holder[key] = was
            tried += 1
    assert tried > 300


@pytest.mark.parametrize(
    ("cidr", "own"),
    [("10.20.0.0/16", True), ("0.0.0.0/0", False), ("10.0.0.0/7", False), ("::/0", False), ("fc00::/8", True),
     ("203.0.113.7/32", False), ("no cidr", False)],
)  # fmt: skip
def test_which_addresses_are_one_s_own(cidr: str, own: bool) -> None:
    assert is_own(cidr) is own


def test_the_marks_are_those_that_the_project_gives() -> None:
    given = tags("aws", stamp="x", lease_until=datetime(2026, 11, 28, tzinfo=UTC))
    assert given.keys() == {STAMP, LEASE}


def test_what_is_said_to_take_no_tags_takes_none() -> None:
    for kind in UNTAGGABLE:
        module, _, word = kind.partition("/")
        found = getattr(getattr(aws, module), word[0].upper() + word[1:])
        assert not hasattr(found, "tags"), kind


def test_rights_on_everything_are_those_that_the_project_explains() -> None:
    assert set(NO_NARROWER) == ON_EVERYTHING
