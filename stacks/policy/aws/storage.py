"""What is written down is encrypted by a key of one's own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stacks.policy import mistakes
from stacks.policy.subject import UNKNOWN, Found, Subject, is_hidden, is_true, parts

ENCRYPTION = "s3/bucketServerSideEncryptionConfiguration"
KEY_INPUT = {
    "cloudwatch/logGroup": "kmsKeyId",
    "secretsmanager/secret": "kmsKeyId",
    "sns/topic": "kmsMasterKeyId",
    "sqs/queue": "kmsMasterKeyId",
    "ebs/volume": "kmsKeyId",
    "efs/fileSystem": "kmsKeyId",
}
"""Kinds that take a key, and the input that names it."""
SWITCHED = {"ebs/volume", "efs/fileSystem"}
"""Those that need `encrypted` besides."""
DISKS = {
    "ec2/launchTemplate": ("blockDeviceMappings",),
    "ec2/instance": ("rootBlockDevice", "ebsBlockDevices"),
    "ec2/spotInstanceRequest": ("rootBlockDevice", "ebsBlockDevices"),
    "ec2/launchConfiguration": ("rootBlockDevice", "ebsBlockDevices"),
}
"""Kinds that bring disks, and the inputs that say how; the first has the root disk."""
KMS = ("aws:kms", "aws:kms:dsse")
ADVICE = "give it the stack's key (infra/aws/keys.py)"


def _one(subject: Subject) -> Iterator[str]:
    kind = subject.kind
    if kind in SWITCHED and not is_true(subject.inputs.get("encrypted")):
        yield f"it is not encrypted; set encrypted=True and {ADVICE}"
    elif kind in KEY_INPUT and not subject.given(KEY_INPUT[kind]):
        yield f"{KEY_INPUT[kind]} is not set, so its content is under no key of yours; {ADVICE}"
    if kind == ENCRYPTION:
        yield from _of_bucket(subject.inputs)
    if kind == "ecr/repository":
        yield from _of_images(subject.inputs.get("encryptionConfigurations"))
    if kind in DISKS and not any(is_hidden(subject.inputs.get(key)) for key in DISKS[kind]):
        yield from _of_disks(subject)


def _of_bucket(inputs: Mapping[str, Any]) -> Iterator[str]:
    for rule in parts(inputs.get("rules")):
        for default in parts(rule.get("applyServerSideEncryptionByDefault")):
            algorithm = default.get("sseAlgorithm")
            if algorithm is not UNKNOWN and algorithm not in KMS:
                yield f"sseAlgorithm={algorithm} is S3's own key and nobody's right to refuse; use aws:kms and {ADVICE}"
            elif not default.get("kmsMasterKeyID") and not default.get("kmsMasterKeyId"):
                yield f"kmsMasterKeyId is not set, which means a key of AWS; {ADVICE}"


def _of_images(value: Any) -> Iterator[str]:
    if is_hidden(value):
        return
    found = list(parts(value))
    if not found or any(
        one.get("encryptionType") not in ("KMS", UNKNOWN) or not one.get("kmsKey") for one in found
    ):
        yield f"its images are under no key of yours; set encryptionType=KMS and {ADVICE}"


def _of_disks(subject: Subject) -> Iterator[str]:
    root, *more = DISKS[subject.kind]
    disks = list(parts(subject.inputs.get(root)))
    if not disks:
        yield f"its root disk is as the image has it, which may be unencrypted; name it, encrypted, and {ADVICE}"
    for one in (*disks, *(disk for key in more for disk in parts(subject.inputs.get(key)))):
        name = one.get("deviceName", "root disk")
        for disk in parts(one.get("ebs", one)):
            if not is_true(disk.get("encrypted")):
                yield f"disk {name} is not encrypted; set encrypted and {ADVICE}"
            elif not disk.get("kmsKeyId"):
                yield f"kmsKeyId of disk {name} is not set, which means a key of AWS; {ADVICE}"


def _whole(subjects: Sequence[Subject]) -> Iterator[Found]:
    configured = [one for one in subjects if one.kind == ENCRYPTION]
    for bucket in subjects:
        if bucket.kind == "s3/bucket" and not any(belongs(one, bucket) for one in configured):
            yield (
                bucket,
                f"no BucketServerSideEncryptionConfiguration is declared for it; declare one and {ADVICE}",
            )


def belongs(part: Subject, bucket: Subject) -> bool:
    """Whether a resource sets something of a bucket: by what it waits for, or by the bucket's name."""
    return bucket.urn in part.after or (
        isinstance(part.inputs.get("bucket"), str) and part.inputs["bucket"] == bucket.inputs.get("bucket")
    )


ENCRYPTED_STORAGE = mistakes.ENCRYPTED_STORAGE(one=_one, whole=_whole)
