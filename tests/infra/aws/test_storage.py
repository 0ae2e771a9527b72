"""The bucket and its key: locked before anything is written, and what of them stays."""

from dataclasses import replace

import pytest

from infra.aws.account import client
from infra.aws.errors import AccountError, AwsError
from infra.aws.kept import KeptBucket, kept_bucket
from infra.aws.keys import Key
from infra.aws.storage import RunBucket
from tests.infra.aws.things import ACCOUNT, BUCKET, KEY, KEY_ARN, REGION, component
from tests.infra.declared import made

NAME = "night-bucket"


def test_the_bucket_is_private_versioned_and_encrypted_by_its_key() -> None:
    declared = component("RunBucket")
    closed = declared["it-closed"].inputs
    assert all(
        closed[lock]
        for lock in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    assert declared["it-ownership"].inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert declared["it-versioning"].inputs["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = declared["it-encryption"].inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": KEY_ARN,
    }
    assert rule["bucketKeyEnabled"] is True


def test_the_policy_comes_after_the_locks() -> None:
    declared = component("RunBucket")
    assert {declared["it-closed"].urn, declared["it-ownership"].urn} <= set(declared["it-policy"].after)


def test_old_versions_and_unfinished_uploads_go() -> None:
    (rule,) = component("RunBucket")["it-lifecycle"].inputs["rules"]
    assert rule["status"] == "Enabled"
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 14}
    assert rule["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 2}
    assert rule["expiration"] == {"expiredObjectDeleteMarker": True}  # and never what is current
    assert component("RunBucket")["it-versioning"].urn in component("RunBucket")["it-lifecycle"].after


@pytest.mark.parametrize("keep", [True, False])
def test_a_bucket_that_stays_keeps_its_locks_and_its_key(keep: bool) -> None:
    bucket = made(lambda: RunBucket("it", replace(BUCKET, keep=keep)))
    assert {one.retained for one in bucket.values() if one.custom} == {keep}
    assert bucket["it-bucket"].inputs["forceDestroy"] is not keep
    key = made(lambda: Key("it", replace(KEY, keep=keep)))
    assert [key[name].retained for name in ("it-key", "it-policy", "it-alias")] == [keep, keep, False]


def test_what_is_there_already_is_taken_up() -> None:
    bucket = made(lambda: RunBucket("it", replace(BUCKET, exists=True)))
    assert bucket["it-bucket"].import_id == NAME
    assert set(bucket["it-bucket"].ignored) == {"tags", "tagsAll", "forceDestroy"}
    key = made(lambda: Key("it", replace(KEY, existing_id="1234")))
    assert key["it-key"].import_id == "1234"
    assert key["it-policy"].import_id == ""  # its own resource, so that it follows the settings
    assert component("RunBucket")["it-bucket"].import_id == component("Key")["it-key"].import_id == ""


def test_the_key_rotates_and_its_policy_is_there_before_its_users() -> None:
    key = component("Key")
    assert key["it-key"].inputs["enableKeyRotation"] is True
    assert key["it-key"].inputs["deletionWindowInDays"] == 7
    assert key["it-policy"].inputs["keyId"] == "it-key-id"
    assert key["it-alias"].inputs["name"] == "alias/night"

    def with_user() -> None:
        RunBucket("bucket", replace(BUCKET, key_arn=Key("it", KEY).key_arn))

    both = made(with_user)
    assert both["it-policy"].urn in both["bucket-encryption"].after


def test_a_kept_bucket_is_found_with_its_key(aws: str) -> None:
    s3 = client("s3", REGION)
    assert kept_bucket(s3, NAME, ACCOUNT) is None
    s3.create_bucket(Bucket=NAME)
    s3.put_bucket_encryption(
        Bucket=NAME,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY_ARN}}
            ]
        },
    )
    assert kept_bucket(s3, NAME, ACCOUNT) == KeptBucket(key_id=KEY_ARN.rpartition("/")[2])


def test_a_bucket_without_a_key_of_ours_says_so(aws: str) -> None:
    s3 = client("s3", REGION)
    s3.create_bucket(Bucket=NAME)
    assert kept_bucket(s3, NAME, ACCOUNT) == KeptBucket(key_id=None)


def test_a_name_that_another_account_has_is_refused(aws: str) -> None:
    from botocore.stub import Stubber

    s3 = client("s3", REGION)
    with Stubber(s3) as stub:
        stub.add_client_error("head_bucket", "403", "Forbidden", 403)
        with pytest.raises(AwsError, match="another account has the name"):
            kept_bucket(s3, NAME, ACCOUNT)
        stub.add_client_error("head_bucket", "ExpiredToken", "The provided token has expired.", 400)
        with pytest.raises(AccountError, match="expired"):
            kept_bucket(s3, NAME, ACCOUNT)
