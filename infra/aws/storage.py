"""The bucket that holds data and runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.bucket_policy import bucket_document
from infra.aws.keys import taken_up

OLD_VERSIONS_DAYS = 14
"""How long what was overwritten or deleted can be had back; checkpoints that a run replaced cost until then."""
UNFINISHED_DAYS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class RunBucketArgs:
    """What a `RunBucket` is made from."""

    bucket_name: str
    key_arn: pulumi.Input[str]
    keep: bool
    """Whether destroying the stack leaves it, with all it holds and all that protects it; else it goes with both."""
    tags: Mapping[str, pulumi.Input[str]]
    exists: bool = False
    """Whether it is there already (`infra.aws.kept`): taken up, if the stack has it not yet."""


class RunBucket(pulumi.ComponentResource):
    """Private, versioned, encrypted by the stack's key, by TLS only."""

    def __init__(self, name: str, args: RunBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:RunBucket", name, None, opts)
        # A bucket that stays keeps its locks: they are retained with it.
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=args.bucket_name,
            force_destroy=not args.keep,
            tags=args.tags,
            opts=pulumi.ResourceOptions.merge(child, taken_up(args.bucket_name if args.exists else None)),
        )
        owner = aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child,
        )
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.id,
            rules=[_encryption(args.key_arn)],
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.id,
            rules=[_tidy()],
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[versioning])),
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.id,
            policy=pulumi.Output.all(bucket.arn, args.key_arn).apply(lambda of: bucket_document(*of)),
            # S3 answers 409 to changes of access that meet each other.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed, owner])),
        )
        # Who writes into it waits until it is locked and encrypts.
        locked = pulumi.Output.all(bucket.bucket, policy.bucket, encryption.bucket, versioning.bucket)
        self.bucket_name: pulumi.Output[str] = locked.apply(lambda of: of[0])
        self.arn: pulumi.Output[str] = bucket.arn
        self.register_outputs({"bucketName": self.bucket_name, "arn": self.arn})


def _encryption(key_arn: pulumi.Input[str]) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="aws:kms", kms_master_key_id=key_arn
    )
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=default,
        # One key of the bucket's own for many objects: KMS is asked, and paid, a hundredth as often.
        bucket_key_enabled=True,
    )


def _tidy() -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="old-versions-and-unfinished-uploads",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=OLD_VERSIONS_DAYS
        ),
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
        abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=UNFINISHED_DAYS
        ),
    )
