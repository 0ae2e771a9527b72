"""What an earlier stack left on purpose: its bucket, and the key without which nobody can read it."""

from dataclasses import dataclass
from typing import Any

from infra.aws.account import explained
from infra.aws.errors import AwsError


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptBucket:
    """A bucket of ours that is there."""

    key_id: str | None
    """Of its encryption; None where it has S3's own."""


def kept_bucket(s3: Any, bucket_name: str, account_id: str) -> KeptBucket | None:
    """The bucket and its key; None where there is none. A running stack's own is told of as well.

    Raises:
        AwsError: the name belongs to another account.
        AccountError: AWS does not answer, or may not be asked.
    """
    from botocore.exceptions import ClientError

    with explained(f"bucket {bucket_name}"):
        try:
            s3.head_bucket(Bucket=bucket_name, ExpectedBucketOwner=account_id)
            rules = s3.get_bucket_encryption(Bucket=bucket_name, ExpectedBucketOwner=account_id)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("404", "NoSuchBucket"):
                return None
            if code == "403":
                raise AwsError(
                    f"bucket {bucket_name} is there and not yours to read: another account has the name, or your "
                    "identity lacks s3:ListBucket; take another stack name, or have the right added"
                ) from error
            if code != "ServerSideEncryptionConfigurationNotFoundError":
                raise
            rules = {}
    for rule in rules.get("ServerSideEncryptionConfiguration", {}).get("Rules", ()):
        key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
        if key:
            return KeptBucket(key_id=str(key).rpartition("/")[2])
    return KeptBucket(key_id=None)
