"""What plan says of each resource: true to the inputs, also where they are not as they should be."""

import pytest

from infra.aws.describe import describe
from infra.aws.group import end_request
from infra.aws.guard import END_CALL

TEMPLATE = {
    "metadataOptions": {"httpTokens": "required"},
    "blockDeviceMappings": [{"ebs": {"volumeSize": 50.0, "volumeType": "gp3", "encrypted": "true"}}],
    "instanceInitiatedShutdownBehavior": "terminate",
}
GROUP = {
    "maxSize": 1.0,
    "mixedInstancesPolicy": {
        "instancesDistribution": {"spotMaxPrice": "0.6"},
        "launchTemplate": {"overrides": [{"instanceType": "g4dn.xlarge"}, {"instanceType": "g5.xlarge"}]},
    },
}


def test_a_machine_as_it_should_be() -> None:
    assert describe("aws:ec2/launchTemplate:LaunchTemplate", TEMPLATE) == [
        "50 GiB gp3, encrypted",
        "metadata by token only",
        "no SSH key; sessions by Systems Manager",
        "power-off ends it, and its disk",
    ]


def test_a_machine_as_it_should_not_be() -> None:
    bad = {
        "metadataOptions": {"httpTokens": "optional"},
        "blockDeviceMappings": [{"ebs": {"volumeSize": 50.0, "volumeType": "gp3"}}],
        "keyName": "mine",
    }
    assert describe("aws:ec2/launchTemplate:LaunchTemplate", bad) == [
        "50 GiB gp3, NOT encrypted",
        "IMDSv1 is open",
    ]


def test_the_group_tells_its_types_and_its_bid() -> None:
    told = describe("aws:autoscaling/group:Group", GROUP)
    assert told == ["at most 1 machine: g4dn.xlarge, g5.xlarge, in this order", "spot, at most $0.6 an hour"]
    on_demand = {**GROUP, "mixedInstancesPolicy": {"launchTemplate": {"overrides": []}}}
    assert describe("aws:autoscaling/group:Group", on_demand)[1] == "on demand"


@pytest.mark.parametrize(
    ("expression", "says"),
    [("at(2026-11-28T12:00:00)", "ends the group: at(2026-11-28T12:00:00)"),
     ("[known only after up]", "ends the group: at the lease")],
)  # fmt: skip
def test_the_timer_tells_when_it_ends_the_group(expression: str, says: str) -> None:
    target = {"arn": END_CALL, "input": end_request("g")}
    assert describe(
        "aws:scheduler/schedule:Schedule", {"scheduleExpression": expression, "target": target}
    ) == [says]


def test_what_is_not_encrypted_or_open_is_said() -> None:
    assert describe("aws:cloudwatch/logGroup:LogGroup", {"name": "x", "retentionInDays": 3.0}) == [
        "x, NOT encrypted by the stack's key, kept 3 days"
    ]
    rule = {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0}
    assert describe("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", rule) == [
        "in from 0.0.0.0/0: tcp 22"
    ]
    closed = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True}
    assert describe("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", closed) == [
        "may be made public"
    ]
    repository = {"imageTagMutability": "MUTABLE", "encryptionConfigurations": [{"kmsKey": "k"}]}
    assert describe("aws:ecr/repository:Repository", repository)[1:] == ["not scanned", "tags may move"]


def test_rights_known_only_later_say_nothing_false() -> None:
    assert describe("aws:iam/rolePolicy:RolePolicy", {"policy": "[known only after up]"}) == []
    assert describe("aws:nobody/knows:This", {}) == []
