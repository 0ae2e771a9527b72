"""What the doctor says of an AWS (moto's): of one that is ready, and of each thing that is not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.config.settings import Settings, load_settings
from app.doctor.aws import QUOTAS, aws_checks
from app.doctor.checks import Check, State
from tests.app.aws import REGION, aws

__all__ = ["aws"]

PROJECT = Path(__file__).parents[3]
BUCKET, GROUP, SECRET = "sonarstack-doctor", "/sonarstack/st", "sonarstack/st"
EVERYTHING = {
    "SONARSTACK_RUN_URL": f"s3://{BUCKET}/runs/st/one",
    "SONARSTACK_LOG_PROVIDER": "aws",
    "SONARSTACK_LOG_GROUP": GROUP,
    "SONARSTACK_SECRET_ID": f"aws:{SECRET}",
}


def settings(**changed: str | None) -> Settings:
    told = {**EVERYTHING, **changed}
    return load_settings(variables={k: v for k, v in told.items() if v is not None}).settings


def checks_of(told: Settings, instance_type: str = "g4dn.xlarge") -> dict[str, Check]:
    return {check.name: check for check in aws_checks(told, instance_type=instance_type)}


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """moto knows no quota of EC2: these are told instead."""
    from moto.servicequotas.models import ServiceQuotasBackend

    values = {"L-DB2E81BA": 8.0, "L-3819A6DF": 4.0}

    def get(self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        return {"QuotaCode": quota_code, "Value": values[quota_code]}

    monkeypatch.setattr(ServiceQuotasBackend, "get_service_quota", get)
    return values


@pytest.fixture
def ready(aws: str, quotas: dict[str, float]) -> Callable[[str], Any]:
    """A bucket with a key of its own, a log group and a secret; gives clients."""
    import boto3

    s3, kms = boto3.client("s3"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    boto3.client("logs").create_log_group(logGroupName=GROUP)
    boto3.client("secretsmanager").create_secret(
        Name=SECRET, SecretString='{"SONARSTACK_NOTIFY_URL": "planted"}'
    )
    return lambda name: boto3.client(name)


def test_an_aws_that_is_ready(ready: Callable[[str], Any]) -> None:
    checks = checks_of(settings())
    assert {check.state for check in checks.values()} == {State.OK}, checks
    assert checks["AWS credentials"].detail.startswith("account 123456789012, arn:aws:")
    assert checks["bucket"].detail == f"s3://{BUCKET}/runs/st/one: written, read and removed"
    assert "is Enabled" in checks["key"].detail
    assert checks["instance type"].detail == f"g4dn.xlarge: 4 vCPUs in {REGION}"
    assert checks["quota spot"].detail == "4 vCPUs (L-3819A6DF), 4 are needed"
    assert checks["secret"].detail == f"aws:{SECRET} holds SONARSTACK_NOTIFY_URL"
    assert "planted" not in str(checks)
    # Nothing of it stays in the bucket.
    assert "Contents" not in ready("s3").list_objects_v2(Bucket=BUCKET)


def test_each_thing_that_is_not_there_says_what_to_do(
    ready: Callable[[str], Any], quotas: dict[str, float]
) -> None:
    quotas["L-DB2E81BA"] = 0.0
    told = settings(
        SONARSTACK_RUN_URL="s3://other-bucket/runs",
        SONARSTACK_LOG_GROUP="/other",
        SONARSTACK_SECRET_ID="aws:other",
    )
    checks = checks_of(told, "g4dn.mega")
    missing = {name: check for name, check in checks.items() if check.state is State.MISSING}
    assert set(missing) == {"bucket", "log group", "secret", "instance type", "quota on demand"}
    assert missing["bucket"].detail == "s3://other-bucket/runs refused (NoSuchBucket)"
    assert "check the bucket's name" in missing["bucket"].advice
    assert missing["log group"].detail == "/other: refused (ResourceNotFoundException)"
    assert "there is no log group /other; create it" in missing["log group"].advice
    assert missing["secret"].detail == "secret aws:other cannot be read (ResourceNotFoundException)"
    assert "secretsmanager:GetSecretValue" in missing["secret"].advice
    assert "choose another type or region" in missing["instance type"].advice
    assert missing["quota on demand"].detail == "0 vCPUs (L-DB2E81BA), 1 are needed"
    assert missing["quota on demand"].advice == (
        f"ask for 1 at https://{REGION}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/L-DB2E81BA"
    )


def test_a_key_that_is_about_to_go_and_a_large_machine(
    ready: Callable[[str], Any], quotas: dict[str, float]
) -> None:
    kms = ready("kms")
    kms.schedule_key_deletion(KeyId=kms.list_keys()["Keys"][0]["KeyId"], PendingWindowInDays=7)
    quotas |= {"L-417A185B": 96.0, "L-7212CCBC": 64.0}
    checks = checks_of(settings(), "p4d.24xlarge")
    assert checks["key"].state is State.MISSING
    assert "is PendingDeletion" in checks["key"].detail
    assert "cancel its deletion" in checks["key"].advice
    assert checks["quota on demand"].state is State.OK
    assert checks["quota spot"].detail == "64 vCPUs (L-7212CCBC), 96 are needed"


def test_a_bucket_without_a_key_of_its_own_and_a_machine_without_a_gpu(ready: Callable[[str], Any]) -> None:
    ready("s3").create_bucket(Bucket="plain-one", CreateBucketConfiguration={"LocationConstraint": REGION})
    checks = checks_of(settings(SONARSTACK_RUN_URL="s3://plain-one"), "m7i.large")
    assert checks["bucket"].state is State.OK
    assert checks["key"].state is State.OPTIONAL  # moto tells no encryption here, where AWS says AES256
    assert checks["quota"].state is State.MISSING
    assert "give --instance-type g4dn.xlarge" in checks["quota"].advice


def test_rights_that_a_machines_role_lacks_are_no_fault(
    ready: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.core.exceptions import JsonRESTError
    from moto.kms.models import KmsBackend
    from moto.servicequotas.models import ServiceQuotasBackend

    class DeniedError(JsonRESTError):
        code = 400

    def denied(*args: Any, **named: Any) -> None:
        raise DeniedError("AccessDeniedException", "no")

    monkeypatch.setattr(KmsBackend, "describe_key", denied)
    monkeypatch.setattr(ServiceQuotasBackend, "get_service_quota", denied)
    checks = checks_of(settings())
    assert checks["key"].state is State.OK
    assert checks["quota spot"].state is State.OPTIONAL
    assert "these credentials may not ask: AccessDeniedException" in checks["quota spot"].detail


def test_nothing_named_is_no_fault(ready: Callable[[str], Any]) -> None:
    checks = checks_of(load_settings(variables={}).settings)
    for name in ("bucket", "log group", "secret"):
        assert checks[name].state is State.OPTIONAL
    assert "set SONARSTACK_RUN_URL=s3://" in checks["bucket"].advice


@pytest.mark.parametrize(
    ("variable", "name", "advice"),
    [
        ("AWS_ACCESS_KEY_ID", "AWS credentials", "aws configure sso"),
        ("AWS_REGION", "AWS region", "set AWS_REGION"),
    ],
)
def test_without_credentials_or_region_nothing_else_is_asked(
    aws: str, monkeypatch: pytest.MonkeyPatch, variable: str, name: str, advice: str
) -> None:
    for one in {variable, variable.replace("AWS_REGION", "AWS_DEFAULT_REGION")}:
        monkeypatch.delenv(one)
    (check,) = aws_checks(settings(), instance_type="g4dn.xlarge")
    assert (check.name, check.state) == (name, State.MISSING)
    assert advice in check.advice


def test_no_network_is_said(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (check,) = aws_checks(settings(), instance_type="g4dn.xlarge")
    assert check.detail == "EndpointConnectionError"


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    (check,) = aws_checks(settings(), instance_type="g4dn.xlarge")
    assert check.advice == "pip install 'sonarstack[cloud]'"


def test_each_family_has_its_codes() -> None:
    assert {len(codes) for codes in QUOTAS.values()} == {2}


@pytest.mark.slow
def test_the_old_environment_test_looks_at_aws_too(aws: str) -> None:
    """python tests/test_pipeline_modules.py --device cpu --cloud aws, as its users call it."""
    words = [sys.executable, "tests/test_pipeline_modules.py", "--device", "cpu", "--cloud", "aws"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=PROJECT, check=False, timeout=300)
    lines = [line for line in done.stdout.splitlines() if "AWS credentials" in line]
    assert lines[0].startswith("ok        AWS credentials"), done.stdout + done.stderr
    assert "account 123456789012" in lines[0]
    assert "set SONARSTACK_RUN_URL=s3://" in done.stdout
    # moto tells no quota of EC2, and that is not taken for enough.
    assert done.returncode == 1
    assert "missing: quota on demand, quota spot" in done.stdout
