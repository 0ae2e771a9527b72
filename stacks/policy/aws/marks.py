"""Everything says whose it is: without the stamp neither the receipt nor `reap` finds it."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.marks import STAMP
from stacks.policy.subject import UNKNOWN, Subject, Unknown, is_hidden, parts

UNTAGGABLE = {
    "autoscaling/policy", "autoscaling/lifecycleHook", "autoscaling/notification", "autoscaling/schedule",
    "cloudwatch/dashboard", "cloudwatch/logMetricFilter", "cloudwatch/logStream", "ec2/mainRouteTableAssociation",
    "ec2/route", "ec2/routeTableAssociation", "ec2/securityGroupRule", "ec2/volumeAttachment", "ecr/lifecyclePolicy",
    "ecr/repositoryPolicy", "iam/policyAttachment", "iam/rolePolicy", "iam/rolePolicyAttachment", "kms/alias",
    "kms/grant", "kms/keyPolicy", "s3/accountPublicAccessBlock", "s3/bucketAcl",
    "s3/bucketCorsConfiguration", "s3/bucketLifecycleConfiguration", "s3/bucketLogging", "s3/bucketNotification",
    "s3/bucketOwnershipControls", "s3/bucketPolicy", "s3/bucketPublicAccessBlock",
    "s3/bucketServerSideEncryptionConfiguration", "s3/bucketVersioning", "scheduler/schedule",
    "secretsmanager/secretPolicy", "secretsmanager/secretVersion", "sns/topicPolicy", "sns/topicSubscription",
    "sqs/queuePolicy",
}  # fmt: skip
"""Kinds on which AWS takes no tags."""
TEMPLATE = "ec2/launchTemplate"
GROUP = "autoscaling/group"


def tags_of(subject: Subject) -> Mapping[str, Any] | None:
    """Its own and its provider's; None while they are not known."""
    own, all_ = subject.inputs.get("tags"), subject.inputs.get("tagsAll")
    if is_hidden(own) or all_ is UNKNOWN or isinstance(subject.provider_tags, Unknown):
        return None
    if subject.kind == GROUP:
        # A list, and the one kind of AWS that its provider does not mark.
        listed: dict[Any, Any] = {one.get("key"): one.get("value") for one in parts(own)}
        return None if UNKNOWN in listed else listed
    known: dict[str, Any] = dict(subject.provider_tags or {})
    for more in (all_, own):
        known.update(more if isinstance(more, Mapping) else {})
    return known


def machine_tags(template: Subject) -> dict[str, Mapping[str, Any] | None]:
    """What the machine of a launch template, and its disks, are marked with; None while not known."""
    found: dict[str, Mapping[str, Any] | None] = {"instance": {}, "volume": {}}
    specifications = template.inputs.get("tagSpecifications")
    kinds = [one.get("resourceType") for one in parts(specifications)]
    if is_hidden(specifications) or UNKNOWN in kinds:
        return dict.fromkeys(found)
    for one in parts(specifications):
        if one.get("resourceType") in found:
            value = one.get("tags")
            found[str(one["resourceType"])] = None if value is UNKNOWN else dict(value or {})
    return found


def _one(subject: Subject) -> Iterator[str]:
    if not subject.token.startswith("aws:") or subject.kind in UNTAGGABLE:
        return
    found = tags_of(subject)
    if found is not None and not found.get(STAMP):
        yield (
            f"it has no tag {STAMP}; give it infra.naming.tags(...), or a provider with them as defaultTags (a kind "
            "that takes no tags stands in stacks/policy/aws/marks.py)"
        )
    if subject.kind == TEMPLATE:
        for what, marks in machine_tags(subject).items():
            if marks is not None and not marks.get(STAMP):
                yield f"its {what} would have no tag {STAMP}; add a tagSpecification for {what}"


STAMP_ON_EVERYTHING = mistakes.STAMP_ON_EVERYTHING(one=_one)
