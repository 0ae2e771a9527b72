"""Is AWS as a training there needs it: who we are, the bucket and its key, the log group, the secret, the quota."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.config.settings import Settings
from app.doctor.checks import Check, State
from app.doctor.cloud_parts import log_group, not_installed, secret, why
from app.telemetry.logs.aws import ARN, CloudWatchSender
from app.telemetry.logs.sender import Sender

QUOTAS = {
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "p5": ("L-417A185B", "L-C4BD4855"),
}
"""By family of instance types: codes of the ceilings on vCPUs on demand, and on spot. Source: Service Quotas, EC2."""
CONSOLE = "https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"
NO_RIGHT = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Aws:
    """Clients by service, none of which asks for long."""

    session: Any
    config: Any

    def client(self, service: str, region: str | None = None) -> Any:
        return self.session.client(service, config=self.config, region_name=region)


def aws_checks(settings: Settings, *, instance_type: str) -> tuple[Check, ...]:
    """Look at everything that the settings name, with the credentials that are here; each check by itself.

    Writes and removes one small object below the run's address, and writes one line into the log group.

    Args:
        instance_type: whose quota is asked for, such as g4dn.xlarge.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return (not_installed("AWS", "boto3"),)
    try:
        session = boto3.session.Session()
    except BotoCoreError as error:
        return (
            Check(
                name="AWS credentials",
                state=State.MISSING,
                detail=why(error),
                advice="set AWS_PROFILE to a profile that is there",
            ),
        )
    region = session.region_name
    if region is None:
        return (
            Check(
                name="AWS region",
                state=State.MISSING,
                detail="not set",
                advice="set AWS_REGION, such as eu-west-1",
            ),
        )
    config = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2, "mode": "standard"})
    aws = _Aws(session=session, config=config)
    who = _credentials(aws)
    if who.state is not State.OK:
        return (who,)
    return (
        who,
        Check(name="AWS region", state=State.OK, detail=str(region)),
        *_bucket(aws, settings),
        _log_group(aws, settings),
        secret(settings),
        *_quota(aws, instance_type, str(region)),
    )


def _credentials(aws: _Aws) -> Check:
    def ask() -> Check:
        answer = aws.client("sts").get_caller_identity()
        return Check(
            name="AWS credentials", state=State.OK, detail=f"account {answer['Account']}, {answer['Arn']}"
        )

    return _asked(
        ask,
        "AWS credentials",
        "sign in (aws configure sso, or AWS_PROFILE); a machine in AWS needs a role, its containers a hop limit of 2",
    )


def _bucket(aws: _Aws, settings: Settings) -> Iterator[Check]:
    """Write, read and remove a probe where runs are mirrored to; what encrypts it is the key to look at."""
    address = settings.cloud.run_url or ""
    if not address.startswith("s3://"):
        yield Check(
            name="bucket",
            state=State.OPTIONAL,
            detail="no run is mirrored to S3",
            advice="set SONARSTACK_RUN_URL=s3://BUCKET/runs/STACK/RUN to try one",
        )
        return
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    key = f"{prefix.rstrip('/')}/.probe-{uuid.uuid4().hex}".lstrip("/")
    s3 = aws.client("s3")
    told: dict[str, Any] = {}

    def ask() -> Check:
        told.update(s3.put_object(Bucket=bucket, Key=key, Body=b"x"))
        same = s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
        s3.delete_object(Bucket=bucket, Key=key)
        return Check(
            name="bucket",
            state=State.OK if same else State.MISSING,
            detail=f"{address}: written, read and removed"
            if same
            else f"{address} gives back something else",
        )

    yield _asked(
        ask,
        "bucket",
        f"check the bucket's name and region, and the rights s3:PutObject, GetObject and DeleteObject on {bucket}/"
        f"{prefix}/* and kms:GenerateDataKey and Decrypt with its key",
        address,
    )
    if told:
        yield _key(aws, told, bucket)


def _key(aws: _Aws, told: dict[str, Any], bucket: str) -> Check:
    if told.get("ServerSideEncryption") != "aws:kms" or "SSEKMSKeyId" not in told:
        return Check(
            name="key",
            state=State.OPTIONAL,
            detail=f"{bucket} encrypts with {told.get('ServerSideEncryption', 'nothing')}",
            advice="a bucket made by the stack has a key of its own",
        )
    name = told["SSEKMSKeyId"]

    def ask() -> Check:
        state = aws.client("kms").describe_key(KeyId=name)["KeyMetadata"]["KeyState"]
        good = state == "Enabled"
        return Check(
            name="key",
            state=State.OK if good else State.MISSING,
            detail=f"{name} is {state}",
            advice=""
            if good
            else "cancel its deletion, or enable it, in the KMS console: without it no run can be read",
        )

    return _asked(ask, "key", "", f"{name} works", without_right=State.OK)


def _log_group(aws: _Aws, settings: Settings) -> Check:
    def sender(group: str) -> Sender:
        arn = ARN.fullmatch(group)
        client = aws.client("logs", str(arn[1]) if arn else None)
        return CloudWatchSender(group, "doctor", client=client)

    return log_group(settings, "aws", "CloudWatch", sender)


def _quota(aws: _Aws, instance_type: str, region: str) -> Iterator[Check]:
    family = instance_type.partition(".")[0]
    codes = QUOTAS.get(family[:2], QUOTAS.get(family[:1]))
    if codes is None:
        yield Check(
            name="quota",
            state=State.MISSING,
            detail=f"{instance_type} is of no family with GPUs that is known here",
            advice="give --instance-type g4dn.xlarge or another of g, p or p5",
        )
        return
    needs: list[int] = []

    def vcpus() -> Check:
        answer = aws.client("ec2").describe_instance_types(InstanceTypes=[instance_type])
        needs.append(int(answer["InstanceTypes"][0]["VCpuInfo"]["DefaultVCpus"]))
        return Check(
            name="instance type", state=State.OK, detail=f"{instance_type}: {needs[0]} vCPUs in {region}"
        )

    yield _asked(
        vcpus,
        "instance type",
        f"{region} may not sell it: choose another type or region",
        instance_type,
        without_right=State.OPTIONAL,
    )
    for market, code in zip(("on demand", "spot"), codes, strict=True):
        yield _ceiling(aws, code, market, needs[0] if needs else 1, region)


def _ceiling(aws: _Aws, code: str, market: str, needed: int, region: str) -> Check:
    client = aws.client("service-quotas")
    page = CONSOLE.format(region=region, code=code)

    def ask() -> Check:
        try:
            answer = client.get_service_quota(ServiceCode="ec2", QuotaCode=code)
        except client.exceptions.NoSuchResourceException:  # never changed: the account has AWS's default
            answer = client.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)
        allowed = float(answer["Quota"]["Value"])
        enough = allowed >= needed
        return Check(
            name=f"quota {market}",
            state=State.OK if enough else State.MISSING,
            detail=f"{allowed:g} vCPUs ({code}), {needed} are needed",
            advice="" if enough else f"ask for {needed} at {page}",
        )

    return _asked(ask, f"quota {market}", f"look at it at {page}", code, without_right=State.OPTIONAL)


def _asked(
    ask: Callable[[], Check], name: str, advice: str, what: str = "", *, without_right: State = State.MISSING
) -> Check:
    """The answer; or why there is none.

    Args:
        without_right: a machine's own role may not ask for everything that a person may.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in NO_RIGHT and without_right is not State.MISSING:
            return Check(
                name=name, state=without_right, detail=f"{what} (these credentials may not ask: {code})"
            )
        return Check(name=name, state=State.MISSING, detail=f"{what} {why(error)}".strip(), advice=advice)
    except BotoCoreError as error:
        return Check(name=name, state=State.MISSING, detail=f"{what} {why(error)}".strip(), advice=advice)
