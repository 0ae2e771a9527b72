"""What holds for each component alone: its shape, its tags, nothing open, nothing in the clear."""

import json

import pytest

from infra.aws.describe import describe
from infra.aws.policies import NO_NARROWER
from tests.infra.aws.things import COMPONENTS, KEY_ARN, TAGS, component, documents
from tests.infra.declared import of_type

UNTAGGED = {
    "Alias", "KeyPolicy", "BucketOwnershipControls", "BucketPublicAccessBlock", "BucketVersioning",
    "BucketServerSideEncryptionConfiguration", "BucketLifecycleConfiguration", "BucketPolicy", "Route",
    "RouteTableAssociation", "RolePolicy", "LogMetricFilter", "Dashboard", "LifecyclePolicy", "SecretPolicy",
    "SecretVersion",
}  # fmt: skip
"""Types that AWS has no tags for, each of which belongs to one that has."""
KEYED = {"LogGroup": "kmsKeyId", "Secret": "kmsKeyId"}

every = pytest.mark.parametrize("kind", COMPONENTS)


@every
def test_a_component_has_the_house_s_shape(kind: str) -> None:
    declared = component(kind)
    components = [one for one in declared.values() if not one.custom]
    assert components[0].token == f"sonarstack:aws:{kind.partition(',')[0]}"
    assert all(one.token.startswith("sonarstack:aws:") for one in components)
    urns = {one.urn for one in components}
    for one in declared.values():
        assert one.name == "it" or one.name.startswith("it-")
        assert one.name == "it" or one.parent in urns


@every
def test_whatever_can_carry_tags_does(kind: str) -> None:
    for one in component(kind).values():
        short = one.token.rsplit(":", 1)[-1]
        if one.custom and short not in UNTAGGED:
            assert TAGS.items() <= one.inputs["tags"].items(), one.name


@every
def test_nothing_is_told_before_it_is_known(kind: str) -> None:
    text = str([one.inputs for one in component(kind).values()])
    assert "Calling __str__ on an Output" not in text
    assert "Output" not in text


@every
def test_what_stores_is_encrypted_by_the_stack_s_key(kind: str) -> None:
    for one in component(kind).values():
        key = KEYED.get(one.token.rsplit(":", 1)[-1])
        if key:
            assert one.inputs[key] == KEY_ARN, one.name


@every
def test_nothing_comes_in_from_outside(kind: str) -> None:
    declared = component(kind)
    assert all("ingress" not in one.inputs for one in of_type(declared, "SecurityGroup"))
    for rule in of_type(declared, "SecurityGroupIngressRule"):
        assert "referencedSecurityGroupId" in rule.inputs
        assert not rule.inputs.keys() & {"cidrIpv4", "cidrIpv6", "prefixListId"}
    assert all(not one.inputs["mapPublicIpOnLaunch"] for one in of_type(declared, "Subnet"))


@every
def test_no_right_is_a_wildcard_where_aws_knows_better(kind: str) -> None:
    for name, policy in documents(component(kind)):
        for statement in policy["Statement"]:
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            if statement["Effect"] == "Deny":
                continue
            assert not any("*" in action for action in actions), name
            doors = name.startswith("it-doors-") or name == "it-s3"
            if statement.get("Principal") == "*":
                # A door says what may pass; who may is said by the identity's own rights.
                assert doors, name
            resources = statement.get("Resource", [])
            if "*" in ([resources] if isinstance(resources, str) else resources):
                in_key = name == "it-policy" and {a.partition(":")[0] for a in actions} == {"kms"}
                assert in_key or set(actions) <= NO_NARROWER.keys(), (name, statement["Sid"])


@every
def test_each_part_has_words_that_fit(kind: str) -> None:
    told = {one.name: describe(one.token, one.inputs) for one in component(kind).values() if one.custom}
    assert any(told.values())
    assert "NOT" not in json.dumps(told)
    assert "open" not in json.dumps(told)
