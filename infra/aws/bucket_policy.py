"""What the bucket refuses, whoever asks. Pure.

Source: S3 user guide (policy examples for TLS, protecting data with server-side encryption), read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.aws.policies import document

KEY_HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"
KIND_HEADER = "s3:x-amz-server-side-encryption"
EVERYTHING = "s3:*"
"""In a Deny the wildcard is the strict side."""


def bucket_document(bucket_arn: str, key_arn: str) -> str:
    """TLS 1.2 or better only; this key only. A writer that names no key gets the bucket's own, which is this one."""
    objects = f"{bucket_arn}/*"
    both = (bucket_arn, objects)
    return document(
        _deny("NoPlainHttp", EVERYTHING, both, {"Bool": {"aws:SecureTransport": "false"}}),
        _deny("NoOldTls", EVERYTHING, both, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
        _deny(
            "NoOtherEncryption", "s3:PutObject", (objects,), _given_but_not(KIND_HEADER, "String", "aws:kms")
        ),
        _deny("NoOtherKey", "s3:PutObject", (objects,), _given_but_not(KEY_HEADER, "Arn", key_arn)),
    )


def _given_but_not(header: str, kind: str, value: str) -> Mapping[str, Mapping[str, str]]:
    return {"Null": {header: "false"}, f"{kind}NotEquals": {header: value}}


def _deny(
    sid: str, action: str, resources: Sequence[str], when: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(resources),
        "Condition": when,
    }
