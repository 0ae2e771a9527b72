"""No bucket is read or written by strangers."""

from collections.abc import Iterator, Sequence

from stacks.policy import mistakes
from stacks.policy.aws.documents import is_anyone, statements
from stacks.policy.aws.storage import belongs
from stacks.policy.subject import UNKNOWN, Found, Subject, is_true, parts

BLOCK = "s3/bucketPublicAccessBlock"
SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
WITH_ACL = ("s3/bucket", "s3/bucketAcl", "s3/bucketObject", "s3/bucketObjectv2", "s3/objectCopy")
OPEN_ACLS = ("public-read", "public-read-write", "authenticated-read")
"""The last one means everybody who has some account of AWS."""
EVERYBODY = ("/global/AllUsers", "/global/AuthenticatedUsers")


def _one(subject: Subject) -> Iterator[str]:
    inputs, kind = subject.inputs, subject.kind
    if kind in WITH_ACL and inputs.get("acl") in OPEN_ACLS:
        yield f"acl={inputs['acl']} opens it to strangers; leave acl out and give rights by role"
    if kind == "s3/bucketAcl":
        for policy in parts(inputs.get("accessControlPolicy")):
            for grant in parts(policy.get("grants")):
                for grantee in parts(grant.get("grantee")):
                    if str(grantee.get("uri", "")).endswith(EVERYBODY):
                        yield "a grant opens it to strangers; leave it out and give rights by role"
    if kind in (BLOCK, "s3/accountPublicAccessBlock"):
        off = [name for name in SWITCHES if not is_true(inputs.get(name))]
        if off:
            yield f"{', '.join(off)} is off, which lets it be opened to strangers; set all four to True"
    if kind == "s3/bucketOwnershipControls":
        for rule in parts(inputs.get("rule")):
            if rule.get("objectOwnership") not in ("BucketOwnerEnforced", UNKNOWN):
                yield "objectOwnership lets single objects be opened by ACL; set it to BucketOwnerEnforced"
    if kind == "s3/bucketPolicy":
        for statement in statements(inputs.get("policy")):
            if statement.get("Effect") == "Allow" and is_anyone(statement) and not statement.get("Condition"):
                yield "its policy allows everybody, without a condition; name the role or the account"


def _whole(subjects: Sequence[Subject]) -> Iterator[Found]:
    closed = [one for one in subjects if one.kind == BLOCK]
    for bucket in subjects:
        if bucket.kind == "s3/bucket" and not any(belongs(one, bucket) for one in closed):
            yield (
                bucket,
                "no BucketPublicAccessBlock is declared for it; declare one with all four switches True",
            )


NO_PUBLIC_BUCKET = mistakes.NO_PUBLIC_BUCKET(one=_one, whole=_whole)
